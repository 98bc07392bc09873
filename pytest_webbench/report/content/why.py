"""Why the figures differ: what a report shows of the profiles that ``--webbench-explain`` made."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pytest_webbench.analysis.hot_spots import attribute, flame
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import CodeProfile, PartTime
from pytest_webbench.model.saved_run import RunRecord
from pytest_webbench.report.charts import SCREEN, STEP, as_spec
from pytest_webbench.report.content.numbers import shown_significant
from pytest_webbench.report.content.tables import Column, Table, clean
from pytest_webbench.report.content.view import Figure, Part
from pytest_webbench.report.explaining import describe_difference, flame_chart, in_order, time_chart

__all__ = ["why_sections"]

MOST_CALLS = 25
"""Rows of the table beside a flame graph, which has hundreds of calls."""
LEAD = (
    "From one more load of each cell, under a sampling profiler and untimed. Intervals are of the number of "
    "samples; which part a call belongs to is known less surely than they say."
)


def why_sections(record: RunRecord) -> tuple[Part, ...]:
    """The parts of the section "Why": one for each scenario; none where nothing was explained."""
    found: dict[str, list[CodeProfile]] = {}
    for profile in map(_cleaned, record.explained):
        found.setdefault(profile.cell.scenario, []).append(profile)
    parts = (_scenario_part(*each, number=number) for number, each in enumerate(found.items(), start=1))
    return tuple(parts)


def _cleaned(profile: CodeProfile) -> CodeProfile:
    """``profile`` with nothing in it that somebody else may have written to do harm: charts show it, too."""
    stacks: Counter[str] = Counter()
    for calls, count in profile.stacks.items():
        stacks[clean(calls)] += count
    cell = Cell(scenario=clean(profile.cell.scenario), stack=clean(profile.cell.stack))
    parts = {clean(pattern): clean(part) for pattern, part in profile.parts.items()}
    return replace(
        profile,
        cell=cell,
        stacks=stacks,
        parts=parts,
        why_not=clean(profile.why_not),
        note=clean(profile.note),
    )


def _scenario_part(scenario: str, profiles: Sequence[CodeProfile], *, number: int) -> Part:
    seen = [each for each in profiles if attribute(each).working]
    name = f"why-{number}"
    return Part(
        name=name,
        title=f"{scenario}: where the time goes",
        lead=(LEAD, *_differences(seen)) if seen else (),
        figures=tuple(_figures(scenario, seen, name)),
        notes=tuple(_notes(profiles, seen)),
    )


def _differences(seen: Sequence[CodeProfile]) -> list[str]:
    """Why the slowest takes more than the fastest, as far as both are known."""
    known = sorted(
        (each for each in seen if each.cpu_s_per_request is not None),
        key=lambda each: each.cpu_s_per_request or 0.0,
    )
    return describe_difference(known[-1], known[0]) if len(known) > 1 else []


def _figures(scenario: str, seen: Sequence[CodeProfile], name: str) -> Iterator[Figure]:
    if seen:
        yield Figure(
            name=f"{name}-parts",
            title="CPU time of a request, by what it is spent on",
            label=f"{scenario}: what the CPU time of each stack is spent on; the table below has it",
            spec=as_spec(time_chart(seen).properties(width="container", height=STEP * len(seen)), SCREEN),
            table=_parts_table(scenario, seen),
            wide=True,
        )
    for number, profile in enumerate(seen, start=1):
        stack = profile.cell.stack
        yield Figure(
            name=f"{name}-flame-{number}",
            title=f"{stack}: calls, the outermost on top",
            label=f"Flame graph of {stack} in {scenario}; the table below has its widest calls",
            spec=as_spec(flame_chart(profile).properties(width="container"), SCREEN),
            table=_calls_table(profile),
            wide=True,
        )


def _parts_table(scenario: str, seen: Sequence[CodeProfile]) -> Table:
    found = [{part.part: part for part in attribute(each).parts} for each in seen]
    names = in_order(name for each in found for name in each)
    rows = [(name, *(_shown(each.get(name)) for each in found)) for name in names]
    totals = ("all", *map(_total, seen))
    return Table(
        caption=f"{scenario}: CPU ms for each request, and share of the samples [95 % interval]",
        columns=(
            Column(name="part"),
            *(Column(name=each.cell.stack, numeric=True) for each in seen),
        ),
        rows=(*rows, totals),
    )


def _shown(time: PartTime | None) -> str:
    if time is None:
        return "-"
    share = f"{time.share.estimate * 100:.0f} % [{time.share.low * 100:.0f}, {time.share.high * 100:.0f}]"
    return share if time.cpu_ms is None else f"{shown_significant(time.cpu_ms.estimate)} ms, {share}"


def _total(profile: CodeProfile) -> str:
    samples = f"{attribute(profile).working:,} samples"
    cpu_s = profile.cpu_s_per_request
    return samples if cpu_s is None else f"{shown_significant(cpu_s * 1000)} ms, {samples}"


def _calls_table(profile: CodeProfile) -> Table:
    rects = sorted(flame(profile), key=lambda each: (-each.width, each.depth))[:MOST_CALLS]
    rows = [(each.label, each.part, f"{each.width * 100:.1f} %", f"{each.samples:,}") for each in rects]
    return Table(
        caption=f"{profile.cell!s}: the widest calls, with all that they call",
        columns=(
            Column(name="call"),
            Column(name="part"),
            Column(name="share", numeric=True),
            Column(name="samples", numeric=True),
        ),
        rows=tuple(rows),
    )


def _notes(profiles: Sequence[CodeProfile], seen: Sequence[CodeProfile]) -> Iterator[tuple[str, str, str]]:
    for profile in profiles:
        if profile not in seen:
            yield "note", profile.cell.stack, profile.why_not or "the server only waited"
        elif profile.note:
            yield "note", profile.cell.stack, profile.note
