"""Verdicts as text: one line for a test that fails, a table for the terminal, markdown for a pull request."""

import math
from collections import Counter
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from pytest_webbench.analysis.gate import describe_limit
from pytest_webbench.analysis.metrics import Rule, find_metric
from pytest_webbench.model.errors import printable
from pytest_webbench.model.results import Comparison, Verdict
from pytest_webbench.report.text import duration, make_table, make_text, plain_cells, render

__all__ = [
    "describe_more",
    "describe_regression",
    "escaped",
    "fenced",
    "render_verdicts",
    "verdicts_as_markdown",
]

_ORDER = (Verdict.SLOWER, Verdict.INCONCLUSIVE, Verdict.FASTER, Verdict.NO_CHANGE)
_SIGNS = {
    Verdict.SLOWER: "\N{CROSS MARK}",
    Verdict.INCONCLUSIVE: "\N{WHITE QUESTION MARK ORNAMENT}",
    Verdict.FASTER: "\N{ROCKET}",
    Verdict.NO_CHANGE: "\N{WHITE HEAVY CHECK MARK}",
}


def describe_regression(comparison: Comparison) -> str:
    """The line with which a test fails."""
    what = f"{comparison.metric} of {comparison.cell}"
    if find_metric(comparison.metric).rule is Rule.COUNT:
        limit = describe_limit(comparison.threshold)
        return f"{what}: {comparison.head:g}, where the base has {comparison.base:g}, allowed {limit} a round"
    ratio = comparison.ratio
    return (
        f"{what} is {ratio.estimate:.2f} times the base [{ratio.low:.2f}, {ratio.high:.2f}], "
        f"allowed {1 + comparison.threshold.limit:.2f}"
    )


def describe_more(comparisons: Sequence[Comparison], rounds: int) -> str:
    """A line between two looks: what is undecided, and what is going to be done about it."""
    undecided = sum(each.verdict is Verdict.INCONCLUSIVE for each in comparisons)
    more = f"{rounds} more round{'s' if rounds != 1 else ''}"
    return f"{undecided} of {len(comparisons)} comparisons are undecided: {more}"


def render_verdicts(
    comparisons: Sequence[Comparison], *, about: str, needed_s: float | None, width: int, colour: bool
) -> str:
    """A table of all verdicts, what matters first. ``needed_s``: the budget that would decide all."""
    table: Table = make_table("verdict", "cell", "metric", "base", "now", "ratio", "95 % interval", "allowed")
    table.columns[1].no_wrap = True
    for each in _sorted(comparisons):
        table.add_row(*plain_cells(each.verdict, str(each.cell), *_columns(each)))
    parts: list[Table | Text] = [make_text(f"against {about}: {_counts(comparisons)}", style="bold"), table]
    parts += [make_text(f"  {line}", style="yellow") for line in _remarks(comparisons, needed_s)]
    return render([*parts, make_text("")], width=width, colour=colour)


def verdicts_as_markdown(
    comparisons: Sequence[Comparison],
    *,
    about: str,
    needed_s: float | None,
    details: str,
    failures: Sequence[str] = (),
) -> str:
    """For a pull request: the verdicts, then a table of what is not unchanged, the rest folded.

    ``failures`` are stacks and cells that could not be measured. ``details`` is text that is shown as it
    stands, such as the configuration of the run.
    """
    notable = [each for each in _sorted(comparisons) if each.verdict is not Verdict.NO_CHANGE]
    rest = [each for each in comparisons if each.verdict is Verdict.NO_CHANGE]
    lines = [f"## Benchmarks against {escaped(about)}", "", f"**{_counts(comparisons)}**", ""]
    lines += [f"- {_SIGNS[Verdict.SLOWER]} {escaped(failure)}" for failure in failures]
    lines += [
        f"- {_SIGNS[each.verdict]} {escaped(describe_regression(each))}"
        for each in notable
        if each.verdict is Verdict.SLOWER
    ]
    lines += [f"- {escaped(line)}" for line in _remarks(comparisons, needed_s)]
    lines.append("")
    if notable:
        lines += [*_markdown_table(notable), ""]
    if rest:
        summary = f"No change beyond the threshold: {len(rest)}"
        lines += [f"<details><summary>{summary}</summary>", "", *_markdown_table(rest), "", "</details>", ""]
    if details:
        lines += [
            "<details><summary>How this was measured</summary>",
            "",
            *fenced(details),
            "",
            "</details>",
            "",
        ]
    return "\n".join(lines)


def _sorted(comparisons: Sequence[Comparison]) -> list[Comparison]:
    return sorted(comparisons, key=lambda each: (_ORDER.index(each.verdict), str(each.cell)))


def _counts(comparisons: Sequence[Comparison]) -> str:
    """How many of each verdict there are: ``1 slower, 3 no change``."""
    found = Counter(each.verdict for each in comparisons)
    counts = ", ".join(f"{found[each]} {each}" for each in _ORDER if found[each])
    if comparisons and all(each.why for each in comparisons):
        return f"nothing could be compared, {counts}"
    return counts or "nothing was compared"


def _remarks(comparisons: Sequence[Comparison], needed_s: float | None) -> list[str]:
    """What an undecided comparison needs, and what this run could have seen."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for each in comparisons:
        if each.why:
            reasons.setdefault((str(each.cell), each.why), []).append(each.metric)
    lines = [f"{', '.join(metrics)} of {cell}: {why}" for (cell, why), metrics in reasons.items()]
    undecided = [each for each in comparisons if each.verdict is Verdict.INCONCLUSIVE and not each.why]
    for each in undecided:
        rounds = f"about {each.pairs_needed} rounds" if each.pairs_needed else "more rounds than can be said"
        lines.append(f"{each.metric} of {each.cell}: {rounds} would decide it, {each.pairs} were made")
    if undecided and needed_s is not None:
        whole_s = math.ceil(needed_s)
        lines.append(f"--webbench-budget={whole_s}s ({duration(whole_s)}) would probably do")
    effects: dict[str, float] = {}
    for each in comparisons:
        if each.smallest_effect is not None:
            effects[each.metric] = max(each.smallest_effect, effects.get(each.metric, 0.0))
    if effects:
        seen = ", ".join(f"{metric} {effect * 100:.1f} %" for metric, effect in effects.items())
        lines.append(f"growth that would have been found in four of five such runs: {seen}")
    return lines


def _columns(comparison: Comparison) -> tuple[str, ...]:
    ratio, metric = comparison.ratio, find_metric(comparison.metric)
    return (
        comparison.metric,
        metric.shown_with_unit(comparison.base),
        metric.shown_with_unit(comparison.head),
        "-" if math.isnan(ratio.estimate) else f"{ratio.estimate:.3f}",
        "-" if math.isnan(ratio.low) else f"{ratio.low:.3f} - {ratio.high:.3f}",
        describe_limit(comparison.threshold),
    )


def _markdown_table(comparisons: Sequence[Comparison]) -> list[str]:
    header = ("", "Cell", "Metric", "Base", "Now", "Ratio", "95 % interval", "Allowed")
    rows = [
        (f"{_SIGNS[each.verdict]} {each.verdict}", str(each.cell), *_columns(each)) for each in comparisons
    ]
    return [
        f"| {' | '.join(header)} |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |",
        *(f"| {' | '.join(map(escaped, row))} |" for row in rows),
    ]


def escaped(text: str) -> str:
    """``text`` as words in a line of Markdown, whatever is in it."""
    text = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace("\n", " ")
    return "".join(f"\\{each}" if each in "\\`*_[]|#" else each for each in text)


def fenced(text: str) -> list[str]:
    """``text`` as it stands, in a block that nothing in it can end."""
    fence = "`" * max(3, 1 + max((len(run) for run in _runs_of_backticks(text)), default=0))
    return [f"{fence}text", printable(text).rstrip(), fence]


def _runs_of_backticks(text: str) -> list[str]:
    return "".join(each if each == "`" else " " for each in text).split()
