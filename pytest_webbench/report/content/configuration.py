"""The complete configuration of a run."""

import shlex
from collections.abc import Callable, Iterator, Sequence

from pytest_webbench.analysis.cross_run import launch_facts, launch_provenance
from pytest_webbench.analysis.metrics import METRICS
from pytest_webbench.model.measurement import Machine
from pytest_webbench.model.results import CellSummary
from pytest_webbench.model.run import SavedRun
from pytest_webbench.model.settings import Settings
from pytest_webbench.report.content.blocks import Part, Room, Section, Table, numbers, words
from pytest_webbench.report.content.results import describe_load
from pytest_webbench.report.content.text import counted, largest

__all__ = ["configuration_sections", "describe_machine_briefly", "stacks_part"]

KEPT_OPEN = "one per user, kept open for the whole round (HTTP keep-alive)"
UNKNOWN = "not known"


def configuration_sections(records: Sequence[SavedRun]) -> Iterator[Section]:
    """Yield the command, the run, the machine, the stacks and the scenarios of the last run."""
    record = records[-1]
    command, machine = record.metadata.command, record.metadata.machine
    repeat = Part(
        title="The command",
        lead=("To repeat the run, use the same folder and the same version of pytest-webbench:",),
        code=shlex.join(command),
        room=Room.FULL,
    )
    about_machine = Part(
        title="The machine",
        facts=tuple(_machine_facts(machine)) if machine else (),
        lead=() if machine else ("The machine was not recorded.",),
        room=Room.FULL,
    )
    run = Part(title="The run", facts=tuple(_run_facts(record)), room=Room.FULL)
    measured = bool(record.summaries or record.live)
    about_stacks = (stacks_part(record), _installed_part(record), _scenarios_part(record)) if measured else ()
    parts = (*((repeat,) if command else ()), run, about_machine, *about_stacks)
    yield Section(name="configuration", title="Configuration", parts=parts)


def describe_machine_briefly(machine: Machine | None) -> str:
    """Return a line about the machine."""
    if machine is None:
        return "a machine that was not recorded"
    cores = "" if machine.cores is None else counted(machine.cores, "CPU")
    memory = "" if machine.memory_bytes is None else f"{machine.memory_bytes / (1 << 30):.0f} GiB"
    virtual = "virtual machine" if machine.virtualised else ""
    return ", ".join(filter(None, (machine.processor, cores, memory, machine.system, virtual)))


def _machine_facts(machine: Machine) -> Iterator[tuple[str, str]]:
    """Yield everything known about the machine, and the unknowns."""
    memory = machine.memory_bytes
    yield "processor", machine.processor or UNKNOWN
    yield "usable CPUs", UNKNOWN if machine.cores is None else str(machine.cores)
    yield "memory", UNKNOWN if memory is None else f"{memory / (1 << 30):.1f} GiB"
    yield "kernel", machine.system or UNKNOWN
    yield "CPU frequency governor", machine.governor or f"{UNKNOWN}, as in most virtual machines"
    yield "virtual machine", machine.virtualised or "not detected"
    yield "Python running pytest", machine.python or UNKNOWN


def _run_facts(record: SavedRun) -> Iterator[tuple[str, str]]:
    about, settings, summaries = record.metadata, record.settings, record.summaries
    yield "saved as", record.source
    if about.version:
        yield "pytest-webbench", about.version
    if about.started:
        yield "started", about.started.replace("T", " ")
    if summaries:
        yield "launcher", _listed(summaries, lambda each: each.launch.launcher)
        yield "load generator", _listed(summaries, lambda each: each.engine)
        yield "loop", _listed(summaries, lambda each: each.model)
        yield "records in the database", _listed(summaries, lambda each: f"{each.records:,}")
    yield "connections", KEPT_OPEN
    if settings is not None:
        yield from _settings_facts(settings, record)
    yield from _shared(summaries).items()
    if all(launch_provenance(each.launch).cpus is None for each in summaries):
        yield "CPU and memory limits", "none"


def _settings_facts(settings: Settings, record: SavedRun) -> Iterator[tuple[str, str]]:
    profile = settings.profile
    yield "profile", f"{profile.name}: {profile.title}"
    rounds = f"{profile.rounds} per benchmark, each from a fresh launch"
    yield "rounds", rounds if record.plan is None else f"{rounds}, {record.plan.order} order"
    pauses = {
        "after launch": profile.settle_s,
        "after seeding": profile.pause_s,
        "before the rounds": profile.idle_s,
        "between trials": profile.gap_s,
    }
    shown = ", ".join(f"{value:g} s {name}" for name, value in pauses.items() if value)
    yield "pauses", shown or "none"
    warm = f"each benchmark with {profile.warm_cell:.0%} of its load" if profile.warm_cell else ""
    yield "warm-up", ", ".join(filter(None, ("the suite's" if profile.warm_launch else "", warm))) or "none"
    yield "seed", str(settings.seed)
    yield "load generator processes", str(settings.load_processes)
    yield "versions", f"{settings.versions.name}: {settings.versions.title}"
    yield "request timeout", f"{settings.request_timeout_s:g} s"
    yield "start timeout", f"{settings.start_timeout_s:g} s"


def _listed(summaries: Sequence[CellSummary], of: Callable[[CellSummary], str]) -> str:
    return " / ".join(dict.fromkeys(map(of, summaries)))


def _facts(summary: CellSummary) -> dict[str, str]:
    return launch_facts(launch_provenance(summary.launch))


def _shared(summaries: Sequence[CellSummary]) -> dict[str, str]:
    """Return the facts that are the same for every launch."""
    found = [_facts(each) for each in summaries]
    return {
        name: value
        for name, value in (found[0].items() if found else ())
        if all(facts.get(name) == value for facts in found)
    }


def stacks_part(record: SavedRun) -> Part:
    """Return the facts that all stacks share in a line, and the differences in a table."""
    summaries = (*record.summaries, *record.live)
    shared, rows = _shared(summaries), []
    for (stack, _), cells in _launches(summaries).items():
        launch, about = cells[-1].launch, record.metadata.stacks.get(stack)
        startup_s = cells[-1].startup_s
        versions = [f"{name} {launch.versions[name]}" for name in launch.packages if name in launch.versions]
        own = [f"{name} {value}" for name, value in _facts(cells[-1]).items() if name not in shared]
        rows.append(
            (
                stack,
                about.title if about else "",
                "-" if startup_s is None else f"{startup_s:.2f}",
                METRICS["memory"].shown(largest(each.value("memory") for each in cells)),
                launch.versions.get("python", UNKNOWN),
                ", ".join(versions),
                ", ".join(own),
                launch_provenance(launch).command or "",
            )
        )
    pythons = sorted({each.launch.versions.get("python", UNKNOWN) for each in summaries})
    common = [f"Python {' / '.join(pythons)}", *(f"{name} {value}" for name, value in shared.items())]
    table = Table(
        caption="The stacks",
        columns=(
            *words("stack"),
            *words("description", long=True, room=Room.FULL),
            *numbers("start-up s", "peak MiB", room=Room.FULL if record.counts else Room.BRIEF),
            *words("Python", room=Room.FULL),
            *words("versions", "own settings", long=True),
            *words("command", long=True, room=Room.FULL),
        ),
        rows=tuple(rows),
    )
    return Part(title="The stacks", lead=(f"all stacks: {', '.join(common)}",), tables=(table,))


def _launches(summaries: Sequence[CellSummary]) -> dict[tuple[str, str], list[CellSummary]]:
    """Return the cells of each stack and launcher."""
    found: dict[tuple[str, str], list[CellSummary]] = {}
    for each in summaries:
        found.setdefault((each.cell.stack, each.launch.launcher), []).append(each)
    return found


def _installed_part(record: SavedRun) -> Part:
    launches = {each.cell.stack: each.launch for each in (*record.summaries, *record.live)}
    rows = (
        (stack, ", ".join(f"{name} {version}" for name, version in launch.versions.items()) or UNKNOWN)
        for stack, launch in launches.items()
    )
    title = "Installed packages"
    columns = (*words("stack"), *words("packages", long=True))
    table = Table(caption=title, columns=columns, rows=tuple(rows))
    return Part(title=title, tables=(table,), folded=True, room=Room.FULL)


def _scenarios_part(record: SavedRun) -> Part:
    rows = []
    for name in record.scenarios():
        first, about = record.cells_of(name)[0], record.metadata.scenarios.get(name)
        rows.append((name, about.title if about else "", first.unit.value, describe_load(first)))
    title = "The scenarios"
    columns = (
        *words("scenario"),
        *words("description", long=True),
        *words("unit"),
        *words("load", long=True),
    )
    table = Table(caption=title, columns=columns, rows=tuple(rows))
    return Part(title=title, tables=(table,), room=Room.FULL)
