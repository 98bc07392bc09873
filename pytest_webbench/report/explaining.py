"""Where the time of each cell goes, and why one stack takes more than another: as text and as charts."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from pytest_webbench.analysis.hot_spots import APPLICATION, OTHER, attribute, compare_parts, flame
from pytest_webbench.model.results import Attribution, CodeProfile, Interval, PartDifference, PartTime
from pytest_webbench.report.text import make_table, make_text, plain_cells, render

if TYPE_CHECKING:
    import altair as alt

__all__ = [
    "describe_difference",
    "describe_profile",
    "flame_chart",
    "in_order",
    "render_explained",
    "time_chart",
]

STACKS_IN_A_ROW = 4
"""More of them do not fit beside each other."""
WORTH_SAYING = 0.05
"""The share of a difference that a part must make up to be named."""
COLOURS: Mapping[str, str] = {
    "framework": "#4c78a8",
    "validation": "#f58518",
    "ORM": "#e45756",
    "database driver": "#72b7b2",
    "JSON": "#54a24b",
    "server": "#b279a2",
    APPLICATION: "#eeca3b",
    OTHER: "#9d9da1",
}
"""The parts in the order of the charts, with their colours; parts of a stack's own get the rest."""
MORE_COLOURS = ("#9d755d", "#ff9da6", "#86bcb6", "#d6a5c9", "#79706e")


def describe_profile(profile: CodeProfile) -> str:
    """One line: which cell, and how many samples; or why there are none."""
    if profile.why_not:
        return f"{profile.cell}: nothing, {profile.why_not.splitlines()[0]}"
    found = attribute(profile)
    return f"{profile.cell}, {found.working:,} samples"


# --- text -------------------------------------------------------------------------------------------


def render_explained(profiles: Sequence[CodeProfile], *, width: int, colour: bool) -> str:
    """For each scenario a table of parts and stacks, why the slowest takes more, and what has no samples."""
    parts: list[Table | Text] = []
    for scenario in dict.fromkeys(each.cell.scenario for each in profiles):
        chosen = [each for each in profiles if each.cell.scenario == scenario]
        parts.extend(_scenario_parts(scenario, chosen, width))
    return render(parts, width=width, colour=colour)


def _scenario_parts(scenario: str, profiles: Sequence[CodeProfile], width: int) -> Iterable[Table | Text]:
    seen = [each for each in profiles if _is_seen(each)]
    yield make_text(
        f"{scenario}: CPU ms for each request and share of the samples, by part (95 % interval of sampling)",
        style="bold",
    )
    for start in range(0, len(seen), STACKS_IN_A_ROW):
        yield _table(seen[start : start + STACKS_IN_A_ROW])
    for profile in profiles:
        if not _is_seen(profile):
            why = profile.why_not or "the server only waited"
            yield make_text(f"  not explained {profile.cell.stack}: {why}", style="yellow")
        elif profile.note:
            yield make_text(f"  note {profile.cell.stack}: {profile.note}", style="yellow")
    known = sorted((each for each in seen if each.cpu_s_per_request is not None), key=_cpu_s)
    if len(known) > 1:
        for sentence in describe_difference(known[-1], known[0]):
            yield make_text(textwrap.fill(sentence, width, initial_indent="  ", subsequent_indent="  "))
    yield Text("")


def _is_seen(profile: CodeProfile) -> bool:
    return attribute(profile).working > 0


def _cpu_s(profile: CodeProfile) -> float:
    return profile.cpu_s_per_request or 0.0


def _table(profiles: Sequence[CodeProfile]) -> Table:
    found = [attribute(each) for each in profiles]
    table = make_table("part")
    for profile in profiles:
        table.add_column(make_text(profile.cell.stack), justify="right", no_wrap=True)
    by_part = [{part.part: part for part in each.parts} for each in found]
    for name in in_order(part for each in by_part for part in each):
        table.add_row(*plain_cells(name, *(_part(each.get(name)) for each in by_part)))
    table.add_row(*plain_cells("all", *map(_total, profiles, found)), style="bold")
    return table


def _part(time: PartTime | None) -> str:
    if time is None:
        return "-"
    share = f"{time.share.estimate * 100:.0f} % [{time.share.low * 100:.0f}, {time.share.high * 100:.0f}]"
    return share if time.cpu_ms is None else f"{_ms(time.cpu_ms.estimate)}   {share:>13}"


def _total(profile: CodeProfile, found: Attribution) -> str:
    samples = f"{found.working:,} samples"
    cpu_s = profile.cpu_s_per_request
    return samples if cpu_s is None else f"{_ms(cpu_s * 1000)}   {samples:>13}"


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.1f}" if abs(milliseconds) >= 10 else f"{milliseconds:.3f}"


def in_order(names: Iterable[str]) -> list[str]:
    """The parts that occur, the known ones in their order, those of a stack's own before "other"."""
    found = dict.fromkeys(names)
    own = [name for name in found if name not in COLOURS]
    order = [name for name in COLOURS if name != OTHER]
    return [name for name in [*order, *own, OTHER] if name in found]


def describe_difference(first: CodeProfile, second: CodeProfile) -> list[str]:
    """Why the stack of ``first`` takes more CPU time for a request than that of ``second``, in sentences.

    Named are the parts that make up most of it and of whose sign the samples are sure, with their intervals;
    then what the samples leave open. The two are of one scenario. Empty without CPU time or samples.
    """
    differences = compare_parts(first, second)
    if not differences:
        return []
    one, other = first.cell.stack, second.cell.stack
    more_ms = (_cpu_s(first) - _cpu_s(second)) * 1000
    sentences = [
        f"{one} takes {_ms(_cpu_s(first) * 1000)} ms of CPU time for each request of {first.cell.scenario}, "
        f"{other} {_ms(_cpu_s(second) * 1000)} ms: {_ms(abs(more_ms))} ms {_more(more_ms)}."
    ]
    worth = [each for each in differences if abs(each.more_ms.estimate) >= WORTH_SAYING * abs(more_ms)]
    sentences += [_sentence(each, more_ms) for each in worth if 0.0 not in each.more_ms]
    if unsure := [each.part for each in worth if 0.0 in each.more_ms]:
        sentences.append(f"The samples do not tell whether these differ: {', '.join(unsure)}.")
    return sentences


def _sentence(difference: PartDifference, total_ms: float) -> str:
    interval = difference.more_ms
    span = (
        interval
        if interval.estimate >= 0
        else Interval(estimate=-interval.estimate, low=-interval.high, high=-interval.low)
    )
    text = (
        f"{difference.part}: {_ms(difference.first_ms)} against {_ms(difference.second_ms)} ms, "
        f"{_ms(span.estimate)} ms {_more(interval.estimate)} [{_ms(span.low)}, {_ms(span.high)}]"
    )
    if total_ms and interval.estimate / total_ms > 0:
        text += f", {interval.estimate / total_ms:.0%} of the difference"
    return f"{text}."


def _more(value: float) -> str:
    return "more" if value >= 0 else "less"


# --- charts -----------------------------------------------------------------------------------------


def flame_chart(profile: CodeProfile, *, width: int = 900, row_height: int = 18) -> "alt.LayerChart":
    """A flame graph of ``profile``, the outermost calls on top; hover gives the function and its share."""
    import altair as alt  # noqa: PLC0415

    rects = flame(profile)
    rows = [
        {
            "start": rect.start,
            "end": rect.start + rect.width,
            "top": rect.depth,
            "bottom": rect.depth + 1,
            "label": rect.label,
            "shown": _fitting(rect.label, rect.width * width),
            "part": rect.part,
            "share": rect.width,
            "samples": rect.samples,
        }
        for rect in rects
    ]
    depth = max((rect.depth for rect in rects), default=0) + 1
    base = alt.Chart(alt.InlineData(values=rows))
    vertical = alt.Y("top:Q", scale=alt.Scale(domain=[0, depth], reverse=True, nice=False), axis=None)
    horizontal = alt.X(
        "start:Q",
        scale=alt.Scale(domain=[0, 1], nice=False),
        axis=alt.Axis(format="%", title="share of the samples"),
    )
    drawn = base.mark_rect(stroke="white", strokeWidth=0.5).encode(
        x=horizontal,
        x2="end:Q",
        y=vertical,
        y2="bottom:Q",
        color=_colour(alt, (rect.part for rect in rects)),
        tooltip=[
            alt.Tooltip("label:N", title="function"),
            alt.Tooltip("part:N"),
            alt.Tooltip("share:Q", format=".1%"),
            alt.Tooltip("samples:Q", format=","),
        ],
    )
    named = base.mark_text(align="left", dx=3, dy=row_height / 2, fontSize=10, color="black").encode(
        x=horizontal, y=vertical, text="shown:N"
    )
    layers = alt.LayerChart(layer=[drawn, named])
    chart: alt.LayerChart = layers.properties(width=width, height=depth * row_height)
    return chart


def _fitting(label: str, width_px: float) -> str:
    """As much of ``label`` as about fits, nothing where that is too little to read."""
    letters = int(width_px / 5.6) - 1
    if letters < 4:
        return ""
    return label if len(label) <= letters else f"{label[: letters - 1]}…"


def time_chart(profiles: Sequence[CodeProfile], *, width: int = 600) -> "alt.Chart":
    """A bar for each stack of one scenario, made up of its parts.

    In milliseconds of CPU time for each request; in shares of the samples if that is not known of all.
    """
    import altair as alt  # noqa: PLC0415

    seen = [each for each in profiles if _is_seen(each)]
    in_ms = all(each.cpu_s_per_request is not None for each in seen)
    rows = [_bar(each, part, in_ms=in_ms) for each in seen for part in attribute(each).parts]
    order = in_order(str(row["part"]) for row in rows)
    for row in rows:
        row["order"] = order.index(str(row["part"]))
    unit = "CPU ms for each request" if in_ms else "share of the samples"
    number = ".3~f" if in_ms else ".1%"
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar()
        .encode(
            x=alt.X("value:Q", stack="zero", axis=alt.Axis(title=unit, format="~g" if in_ms else "%")),
            y=alt.Y("stack:N", title=None, sort=[each.cell.stack for each in seen]),
            color=_colour(alt, order),
            order=alt.Order("order:Q"),
            tooltip=[
                alt.Tooltip("stack:N"),
                alt.Tooltip("part:N"),
                alt.Tooltip("value:Q", title=unit, format=number),
                alt.Tooltip("low:Q", title="at least", format=number),
                alt.Tooltip("high:Q", title="at most", format=number),
                alt.Tooltip("samples:Q", format=","),
            ],
        )
        .properties(width=width)
    )
    return chart


def _bar(profile: CodeProfile, time: PartTime, *, in_ms: bool) -> dict[str, str | float]:
    value = time.cpu_ms if in_ms and time.cpu_ms is not None else time.share
    return {
        "stack": profile.cell.stack,
        "part": time.part,
        "value": value.estimate,
        "low": value.low,
        "high": value.high,
        "samples": time.samples,
    }


def _colour(alt: Any, parts: Iterable[str]) -> Any:
    """The colour of each part: the same in every chart."""
    order = in_order(parts)
    own = [part for part in order if part not in COLOURS]
    more = {part: MORE_COLOURS[number % len(MORE_COLOURS)] for number, part in enumerate(own)}
    colours = [COLOURS.get(part) or more[part] for part in order]
    return alt.Color(
        "part:N", scale=alt.Scale(domain=order, range=colours), legend=alt.Legend(title=None, orient="bottom")
    )
