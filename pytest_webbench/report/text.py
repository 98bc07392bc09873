"""The results as text for a terminal: a table per scenario, and what is not to be relied on."""

import io
from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pytest_webbench.analysis.metrics import Metric, columns
from pytest_webbench.analysis.summary import rank
from pytest_webbench.model.errors import printable
from pytest_webbench.model.events import CheckFailed, RateChosen
from pytest_webbench.model.plan import Cell, Plan, Profile
from pytest_webbench.model.results import CellSummary, Standing
from pytest_webbench.model.settings import Settings
from pytest_webbench.model.stack import Stack
from pytest_webbench.model.suite import Scenario
from pytest_webbench.report.content.numbers import shown_interval, shown_number, shown_ratio

__all__ = [
    "describe_check",
    "describe_known",
    "describe_rate",
    "describe_run",
    "duration",
    "make_table",
    "make_text",
    "plain_cells",
    "render",
    "render_configuration",
    "render_results",
    "render_run",
]


def describe_run(settings: Settings, plan: Plan, *, launcher: str, expected_s: float) -> str:
    """One line: launcher, unless it is empty, profile, order, seed and the time expected."""
    trials = sum(len(block.trials) for block in plan.blocks)
    rounds = settings.profile.rounds
    return (
        f"webbench: {launcher + ', ' if launcher else ''}profile {settings.profile.name} "
        f"({rounds} round{'s' if rounds != 1 else ''}, {trials} trials), {plan.order} order, "
        f"seed {settings.seed}, about {duration(expected_s)}"
    )


def describe_check(failed: CheckFailed) -> str:
    """One line: which scenario failed the check before timing, and why."""
    return f"{failed.cell} failed the check before timing: {failed.error.message}"


def describe_rate(chosen: RateChosen) -> str:
    """One line: the rate that was chosen for a scenario, and from what."""
    slowest = min(chosen.saturation, key=lambda stack: chosen.saturation[stack])
    return (
        f"{chosen.scenario} at {chosen.rate:,g} requests/s for every stack: {chosen.share:.0%} of the "
        f"{chosen.saturation[slowest]:,.0f} requests/s that the slowest, {slowest}, can serve"
    )


def duration(seconds: float) -> str:
    """Seconds as people say them: ``45 s``, ``2 min 40 s``, ``1 h 5 min``."""
    whole = max(1, round(seconds))
    minutes, rest = divmod(whole, 60)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def describe_known(
    stacks: Iterable[Stack], scenarios: Iterable[Scenario], profiles: Iterable[Profile], *, width: int
) -> str:
    """What ``--webbench-list`` shows."""
    tables = []
    table = make_table("stack", "suite", "what it is")
    for stack in stacks:
        table.add_row(*plain_cells(stack.name, stack.suite, stack.title))
    tables.append(table)
    table = make_table("scenario", "suite", "users", "amount", "unit", "what it asks for")
    for each in scenarios:
        numbers = str(each.users), str(each.amount), each.unit
        table.add_row(*plain_cells(each.name, each.suite, *numbers, each.title))
    tables.append(table)
    table = make_table("profile", "rounds", "order", "what it is for")
    for profile in profiles:
        table.add_row(profile.name, str(profile.rounds), profile.order, profile.title)
    tables.append(table)
    return render(tables, width=width, colour=False)


def render_results(
    summaries: Sequence[CellSummary],
    *,
    scenarios: Mapping[str, Scenario],
    width: int,
    colour: bool,
    remark: str = "",
    failures: Mapping[Cell, str] | None = None,
) -> str:
    """A table per scenario, load and launcher, the fastest stack first, and below it every caveat.

    Stacks whose difference the rounds do not show share a rank. Figures of different launchers or loads
    never share a table. ``remark`` is added to the title of each table. ``failures`` say why cells failed the
    check before timing: they stand below the table of the scenario, or below all if it has none.
    """
    left = dict(failures or {})
    parts: list[Table | Text] = []
    groups: dict[tuple[object, ...], list[CellSummary]] = {}
    for each in summaries:
        groups.setdefault(
            (each.cell.scenario, each.launch.launcher, each.users, each.amount, each.model), []
        ).append(each)
    for chosen in groups.values():
        scenario = scenarios.get(chosen[0].cell.scenario)
        failed = {cell: left.pop(cell) for cell in list(left) if cell.scenario == chosen[0].cell.scenario}
        parts.extend(_scenario_parts(scenario, rank(chosen), remark, failed))
    parts.extend(make_text(f"FAILED {cell}: {why}", style="red") for cell, why in left.items())
    if left:
        parts.append(Text(""))
    return render(parts, width=width, colour=colour)


def render_run(
    planned: Sequence[CellSummary],
    live: Sequence[CellSummary],
    *,
    scenarios: Mapping[str, Scenario],
    width: int,
    colour: bool,
    failures: Mapping[Cell, str] | None = None,
) -> str:
    """All tables of a run: of what was ``planned``, of what tests measured ``live``, and how it all ran.

    ``failures`` say why cells failed the check before timing.
    """
    tables = [
        render_results(planned, scenarios=scenarios, width=width, colour=colour, failures=failures),
        render_results(
            live, scenarios=scenarios, width=width, colour=colour, remark=", rounds from one launch"
        ),
    ]
    return "".join([*tables, render_configuration([*planned, *live], width=width, colour=colour)])


def render_configuration(summaries: Sequence[CellSummary], *, width: int, colour: bool) -> str:
    """How the stacks ran: what they share in a line, and what is their own in a table."""
    launches = {(each.cell.stack, each.launch.launcher): each for each in summaries}
    configs = [each.launch.config for each in launches.values()]
    shared = {
        name: value
        for name, value in (configs[0].items() if configs else ())
        if all(config.get(name) == value for config in configs) and name != "command"
    }
    table = make_table("stack", "start-up s", "peak MiB", "how it ran")
    for (stack, _), summary in launches.items():
        launch = summary.launch
        own = [f"{name} {value}" for name, value in launch.config.items() if name not in shared]
        versions = [f"{name} {launch.versions[name]}" for name in launch.packages if name in launch.versions]
        table.add_row(
            make_text(stack),
            "-" if summary.startup_s is None else f"{summary.startup_s:.2f}",
            _mebibytes([each for each in summaries if each.cell.stack == stack]),
            make_text(", ".join([*versions, *(each for each in own if not each.startswith("command "))])),
        )
    pythons = sorted({each.launch.versions.get("python", "unknown") for each in launches.values()})
    line = ", ".join(
        [f"Python {' / '.join(pythons)}", *(f"{name} {value}" for name, value in shared.items())]
    )
    return render([make_text(f"all stacks: {line}"), table], width=width, colour=colour)


def _mebibytes(summaries: Iterable[CellSummary]) -> str:
    known = [each.server_peak_rss_bytes for each in summaries if each.server_peak_rss_bytes is not None]
    return f"{max(known) / (1 << 20):.0f}" if known else "-"


def _scenario_parts(
    scenario: Scenario | None, standings: Sequence[Standing], remark: str, failures: Mapping[Cell, str]
) -> Iterable[Table | Text]:
    first = standings[0].summary
    about = f"{scenario.title}; " if scenario and scenario.title else ""
    user = "user" if first.schedule is None else "connection"
    load = f"{first.users} {user}{'s' if first.users != 1 else ''}, {first.amount}, {first.model}"
    engine = "" if first.engine == "native" else f", engine {first.engine}"
    yield make_text(
        f"{first.cell.scenario}: {about}{load}, {first.launch.launcher} launcher{engine}{remark}",
        style="bold",
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("", justify="right", no_wrap=True, min_width=2)
    table.add_column("stack", no_wrap=True)
    metrics = columns(brief=True)
    for header in (first.unit, "95 % interval", "x slower", *(each.column for each in metrics)):
        table.add_column(header, justify="right", no_wrap=True)
    for standing in standings:
        table.add_row(*_row(standing, metrics), style=None if standing.rank else "dim")
    yield table
    for standing in standings:
        summary = standing.summary
        for reason in summary.validity.reasons:
            yield make_text(f"  INVALID {summary.cell.stack}: {reason}", style="red")
        for example in summary.examples:
            yield make_text(f"          {example}", style="dim")
        for warning in summary.validity.warnings:
            yield make_text(f"  note {summary.cell.stack}: {warning}", style="yellow")
    for cell, why in failures.items():
        yield make_text(f"  FAILED {cell.stack}: {why}", style="red")
    yield Text("")


def _row(standing: Standing, metrics: Sequence[Metric]) -> tuple[Text, ...]:
    summary = standing.summary
    return plain_cells(
        f"{standing.rank}." if standing.rank else "-",
        summary.cell.stack,
        shown_number(summary.result.estimate, summary.unit),
        shown_interval(summary.result, summary.unit),
        shown_ratio(standing.ratio),
        *(each.shown(summary.value(each.key)) for each in metrics),
    )


def make_table(*headers: str) -> Table:
    """An empty table in the style of all of them."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for header in headers:
        table.add_column(header)
    return table


def plain_cells(*cells: str) -> tuple[Text, ...]:
    """The cells of a row, as they stand."""
    return tuple(map(make_text, cells))


def make_text(text: str, style: str = "") -> Text:
    """``text`` as it stands: no markup, and nothing that steers the terminal."""
    return Text(printable(text), style=style)


def render(parts: Iterable[Table | Text], *, width: int, colour: bool) -> str:
    """The parts below each other; names and messages are text, never markup."""
    output = io.StringIO()
    console = Console(
        file=output, width=width, force_terminal=colour, no_color=not colour, legacy_windows=False
    )
    for part in parts:
        console.print(part, highlight=False)
    return output.getvalue()
