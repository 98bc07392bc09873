"""Where CPU time goes, and why one stack takes more than another: the results of ``--webbench-explain``."""

from collections.abc import Iterable, Iterator, Sequence

from pytest_webbench.analysis.hot_spots import OTHER, PARTS, attribute, compare_parts, flame
from pytest_webbench.model.results import CodeProfile, Interval, PartDifference, PartTime
from pytest_webbench.model.run import SavedRun
from pytest_webbench.report.content.blocks import (
    Chart,
    Note,
    Part,
    Room,
    Section,
    Table,
    numbers,
    words,
)
from pytest_webbench.report.content.text import shown_significant

__all__ = ["KNOWN_PARTS", "describe_difference", "describe_profile", "hot_spot_sections", "in_order"]

KNOWN_PARTS = (*dict.fromkeys(PARTS.values()), OTHER)
"""The parts that stacks share, in the order of tables and charts."""
MOST_CALLS = 25
"""The number of rows in the table beside a flame graph, which has hundreds of calls."""
WORTH_SAYING = 0.05
"""The share of a difference that a part must make up to be named."""
LEAD = (
    "From one extra, untimed load of each benchmark under a sampling profiler. Intervals reflect the number "
    "of samples only, not how surely a call is attributed to its part.",
)


def hot_spot_sections(records: Sequence[SavedRun]) -> Iterator[Section]:
    """Yield a section with a part for each sampled scenario."""
    found: dict[str, list[CodeProfile]] = {}
    for profile in records[-1].explained:
        found.setdefault(profile.cell.scenario, []).append(profile)
    if found:
        parts = tuple(_part(*each) for each in found.items())
        yield Section(name="why", title="Where the time goes", parts=parts, lead=LEAD)


def in_order(names: Iterable[str]) -> list[str]:
    """Return the parts that occur: known ones in their order, then a stack's own, then "other"."""
    found = dict.fromkeys(names)
    own = [name for name in found if name not in KNOWN_PARTS]
    return [name for name in [*KNOWN_PARTS[:-1], *own, OTHER] if name in found]


def describe_profile(profile: CodeProfile) -> str:
    """Return one line: which cell, and how many samples; or why there are none."""
    if profile.reason:
        return f"{profile.cell}: no samples, {profile.reason.splitlines()[0]}"
    return f"{profile.cell}, {attribute(profile).working:,} samples"


def _part(scenario: str, profiles: Sequence[CodeProfile]) -> Part:
    seen = [each for each in profiles if attribute(each).working]
    known = sorted((each for each in seen if each.cpu_s_per_request is not None), key=_cpu_ms)
    return Part(
        title=_caption(scenario),
        lead=tuple(describe_difference(known[-1], known[0])) if len(known) > 1 else (),
        charts=(*([_parts_chart(scenario, seen)] if seen else ()), *map(_flame, seen)),
        notes=tuple(_notes(profiles, seen)),
    )


def _notes(profiles: Sequence[CodeProfile], seen: Sequence[CodeProfile]) -> Iterator[Note]:
    for profile in profiles:
        if profile not in seen:
            why = profile.reason or "the server was idle"
            yield Note(subject=profile.cell.stack, text=f"not explained: {why}")
        elif profile.note:
            yield Note(subject=profile.cell.stack, text=profile.note)


def _cpu_ms(profile: CodeProfile) -> float:
    return (profile.cpu_s_per_request or 0.0) * 1000


# --- why one takes more than another ----------------------------------------------------------------


def describe_difference(first: CodeProfile, second: CodeProfile) -> list[str]:
    """Return sentences: why ``first``'s stack takes more CPU time per request than ``second``'s.

    They name the parts that make up most of the difference and whose sign is certain from the samples, with
    intervals; then the parts that remain uncertain. Both are of one scenario. Empty without CPU time or
    samples.
    """
    differences = compare_parts(first, second)
    if not differences:
        return []
    more_ms = _cpu_ms(first) - _cpu_ms(second)
    sentences = [
        f"{first.cell.stack} takes {shown_significant(_cpu_ms(first))} ms of CPU time per request of "
        f"{first.cell.scenario}, {second.cell.stack} {shown_significant(_cpu_ms(second))} ms: "
        f"{shown_significant(abs(more_ms))} ms {_more(more_ms)}."
    ]
    worth = [each for each in differences if abs(each.more_ms.estimate) >= WORTH_SAYING * abs(more_ms)]
    sentences += [_sentence(each, more_ms) for each in worth if 0.0 not in each.more_ms]
    if unsure := [each.part for each in worth if 0.0 in each.more_ms]:
        sentences.append(f"The samples do not show whether these differ: {', '.join(unsure)}.")
    return sentences


def _sentence(difference: PartDifference, total_ms: float) -> str:
    interval = difference.more_ms
    span = (
        interval
        if interval.estimate >= 0
        else Interval(estimate=-interval.estimate, low=-interval.high, high=-interval.low)
    )
    first, second, estimate, low, high = map(
        shown_significant, (difference.first_ms, difference.second_ms, span.estimate, span.low, span.high)
    )
    text = f"{difference.part}: {first} against {second} ms, {estimate} ms {_more(interval.estimate)}"
    text += f" [{low}, {high}]"
    if total_ms and interval.estimate / total_ms > 0:
        text += f", {100 * interval.estimate / total_ms:.0f} % of the difference"
    return f"{text}."


def _more(value: float) -> str:
    return "more" if value >= 0 else "less"


# --- charts with their tables -----------------------------------------------------------------------


def _caption(scenario: str) -> str:
    return f"{scenario}: CPU time per request, and share of the samples [95 % interval]"


def _parts_chart(scenario: str, seen: Sequence[CodeProfile]) -> Chart:
    return Chart(
        file=f"{scenario}-parts",
        title="CPU time of a request, by part",
        draw=lambda charts: charts.part_times(seen),
        table=_parts_table(scenario, seen),
        wide=True,
    )


def _flame(profile: CodeProfile) -> Chart:
    return Chart(
        file=f"{profile.cell.scenario}-{profile.cell.stack}-flame",
        title=f"{profile.cell.stack}: calls, the outermost on top",
        draw=lambda charts: charts.flame(profile),
        table=_calls_table(profile),
        wide=True,
    )


def _parts_table(scenario: str, seen: Sequence[CodeProfile]) -> Table:
    found = [{part.part: part for part in attribute(each).parts} for each in seen]
    names = in_order(name for each in found for name in each)
    rows = [(name, *(_shown(each.get(name)) for each in found)) for name in names]
    return Table(
        caption=_caption(scenario),
        columns=(*words("part"), *numbers(*(each.cell.stack for each in seen))),
        rows=(*rows, ("all", *map(_total, seen))),
    )


def _shown(time: PartTime | None) -> str:
    if time is None:
        return "-"
    share = f"{time.share.estimate * 100:.0f} % [{time.share.low * 100:.0f}, {time.share.high * 100:.0f}]"
    return share if time.cpu_ms is None else f"{shown_significant(time.cpu_ms.estimate)} ms, {share}"


def _total(profile: CodeProfile) -> str:
    samples = f"{attribute(profile).working:,} samples"
    if profile.cpu_s_per_request is None:
        return samples
    return f"{shown_significant(_cpu_ms(profile))} ms, {samples}"


def _calls_table(profile: CodeProfile) -> Table:
    calls = sorted(flame(profile), key=lambda each: (-each.width, each.depth))[:MOST_CALLS]
    return Table(
        caption=f"{profile.cell}: calls, with everything they call",
        columns=(*words("call", "part"), *numbers("share", "samples")),
        rows=tuple(
            (each.label, each.part, f"{each.width * 100:.1f} %", f"{each.samples:,}") for each in calls
        ),
        room=Room.FULL,
    )
