"""How a run was made, all of it."""

import shlex
from collections.abc import Callable, Iterator, Sequence

from pytest_webbench.model.measurement import Machine
from pytest_webbench.model.results import CellSummary
from pytest_webbench.model.run import SavedRun
from pytest_webbench.model.settings import Settings
from pytest_webbench.report.content.blocks import Part, Room, Section, Table, numbers, words
from pytest_webbench.report.content.results import describe_load
from pytest_webbench.report.content.text import counted, shown_bytes

__all__ = ["configuration_sections", "describe_machine_briefly", "stacks_part"]

NAMES = {
    "engine": "container engine",
    "cpus": "processors of each container",
    "memory": "memory of each container",
}
"""What is printed for the names of a launch's configuration that stand for something else as well."""
KEPT_OPEN = "kept open for the whole round, one for each user (HTTP keep-alive)"
NOT_SHOWN = ("command", "image_bytes")
"""What of a launch's configuration stands elsewhere."""


def configuration_sections(records: Sequence[SavedRun]) -> Iterator[Section]:
    """The command, the run, the machine, the stacks and the scenarios of the last run."""
    record = records[-1]
    parts = []
    if record.about.command:
        parts.append(
            Part(
                name="repeat",
                title="The command",
                lead=("Run in the same folder, with the same version of the package:",),
                code=shlex.join(record.about.command),
                room=Room.FULL,
            )
        )
    parts.append(Part(name="how", title="The run", facts=tuple(_run_facts(record)), room=Room.FULL))
    machine = record.about.machine
    parts.append(
        Part(
            name="machine",
            title="The machine",
            facts=tuple(_machine_facts(machine)) if machine else (),
            lead=() if machine else ("What was measured does not say on which machine.",),
            room=Room.FULL,
        )
    )
    if record.summaries or record.live:
        parts += [stacks_part(record), _installed_part(record), _scenarios_part(record)]
    yield Section(name="configuration", title="Configuration", parts=tuple(parts))


def describe_machine_briefly(machine: Machine | None) -> str:
    """A line about the machine."""
    if machine is None:
        return "a machine that was not recorded"
    cores = "" if machine.cores is None else counted(machine.cores, "processor")
    memory = "" if machine.memory_bytes is None else f"{machine.memory_bytes / (1 << 30):.0f} GiB"
    virtual = "virtual machine" if machine.virtualised else ""
    return ", ".join(filter(None, (machine.processor, cores, memory, machine.system, virtual)))


def _machine_facts(machine: Machine) -> Iterator[tuple[str, str]]:
    """Everything that is known of the machine, and what is not."""
    unknown, memory = "not known", machine.memory_bytes
    yield "processor", machine.processor or unknown
    yield "processors to use", unknown if machine.cores is None else str(machine.cores)
    yield "memory", unknown if memory is None else f"{memory / (1 << 30):.1f} GiB"
    yield "kernel", machine.system or unknown
    yield "clock rate governor", machine.governor or "not known, as in most virtual machines"
    yield "virtual machine", machine.virtualised or "nothing says so"
    yield "Python of pytest", machine.python or unknown


def _run_facts(record: SavedRun) -> Iterator[tuple[str, str]]:
    about, settings, summaries = record.about, record.settings, record.summaries
    yield "saved as", record.source
    if about.version:
        yield "pytest-webbench", about.version
    if about.started:
        yield "started", about.started.replace("T", " ")
    if summaries:
        yield "launcher", _listed(summaries, lambda each: each.launch.launcher)
        yield "engine", _listed(summaries, lambda each: each.engine)
        yield "loop", _listed(summaries, lambda each: each.model)
        yield "records in the database", _listed(summaries, lambda each: f"{each.records:,}")
    yield "connections", KEPT_OPEN
    if settings is not None:
        yield from _settings_facts(settings, record)
    shared = _shared(summaries)
    if "cpus" not in shared:
        yield "limits of processors and memory", "none that all stacks share"
    for name, value in shared.items():
        yield _name(name), str(value)


def _settings_facts(settings: Settings, record: SavedRun) -> Iterator[tuple[str, str]]:
    profile = settings.profile
    yield "profile", f"{profile.name}: {profile.title}"
    rounds = f"{profile.rounds} of each cell, each from a fresh launch"
    yield "rounds", rounds if record.plan is None else f"{rounds}, {record.plan.order} order"
    pauses = {
        "to settle": profile.settle_s,
        "after seeding": profile.pause_s,
        "before the rounds": profile.idle_s,
        "between trials": profile.gap_s,
    }
    shown = ", ".join(f"{value:g} s {name}" for name, value in pauses.items() if value)
    yield "pauses", shown or "none"
    warm = f"each cell by {profile.warm_cell:.0%} of its amount" if profile.warm_cell else ""
    yield "warm-up", ", ".join(filter(None, ("the suite's" if profile.warm_launch else "", warm))) or "none"
    yield "seed", str(settings.seed)
    yield "generator processes", str(settings.load_processes)
    yield "versions", f"{settings.versions.name}: {settings.versions.title}"
    yield "time allowed for a request", f"{settings.request_timeout_s:g} s"
    yield "time allowed for a start", f"{settings.start_timeout_s:g} s"


def _listed(summaries: Sequence[CellSummary], of: Callable[[CellSummary], str]) -> str:
    return " / ".join(dict.fromkeys(map(of, summaries)))


def _name(name: str) -> str:
    return NAMES.get(name, name.replace("_", " "))


def _shared(summaries: Sequence[CellSummary]) -> dict[str, str | int]:
    """What is the same for every launch, and does not stand elsewhere."""
    configs = [each.launch.config for each in summaries]
    return {
        name: value
        for name, value in (configs[0].items() if configs else ())
        if name not in NOT_SHOWN and all(config.get(name) == value for config in configs)
    }


def stacks_part(record: SavedRun) -> Part:
    """What all stacks share in a line, and what is their own in a table."""
    summaries = (*record.summaries, *record.live)
    shared, rows = _shared(summaries), []
    for (stack, _), cells in _launches(summaries).items():
        launch, about = cells[-1].launch, record.about.stacks.get(stack)
        startup_s = cells[-1].startup_s
        peaks = [peak for each in cells if (peak := each.value("memory")) is not None]
        versions = [f"{name} {launch.versions[name]}" for name in launch.packages if name in launch.versions]
        own = [
            f"{_name(name)} {value}"
            for name, value in launch.config.items()
            if name not in shared and name not in NOT_SHOWN
        ]
        rows.append(
            (
                stack,
                about.title if about else "",
                "-" if startup_s is None else f"{startup_s:.2f}",
                shown_bytes(max(peaks, default=None)),
                launch.versions.get("python", "not known"),
                ", ".join(versions),
                ", ".join(own),
                str(launch.config.get("command", "")),
            )
        )
    pythons = sorted({each.launch.versions.get("python", "unknown") for each in summaries})
    common = [f"Python {' / '.join(pythons)}", *(f"{_name(name)} {value}" for name, value in shared.items())]
    table = Table(
        caption="Each stack, and what is its own",
        columns=(
            *words("stack"),
            *words("what it is", long=True, room=Room.FULL),
            *numbers("start-up s", "peak MiB", room=Room.BRIEF),
            *words("Python", room=Room.FULL),
            *words("versions", "settings of its own", long=True),
            *words("command", long=True, room=Room.FULL),
        ),
        rows=tuple(rows),
    )
    return Part(
        name="stacks", title="The stacks", lead=(f"all stacks: {', '.join(common)}",), tables=(table,)
    )


def _launches(summaries: Sequence[CellSummary]) -> dict[tuple[str, str], list[CellSummary]]:
    """The cells of each stack and launcher."""
    found: dict[tuple[str, str], list[CellSummary]] = {}
    for each in summaries:
        found.setdefault((each.cell.stack, each.launch.launcher), []).append(each)
    return found


def _installed_part(record: SavedRun) -> Part:
    launches = {each.cell.stack: each.launch for each in (*record.summaries, *record.live)}
    rows = [
        (stack, ", ".join(f"{name} {version}" for name, version in launch.versions.items()) or "not known")
        for stack, launch in launches.items()
    ]
    title = "All that is installed for each stack"
    table = Table(
        caption=title, columns=(*words("stack"), *words("distributions", long=True)), rows=tuple(rows)
    )
    return Part(name="installed", title=title, tables=(table,), folded=True, room=Room.FULL)


def _scenarios_part(record: SavedRun) -> Part:
    rows = []
    for name in record.scenarios():
        first, about = record.cells_of(name)[0], record.about.scenarios.get(name)
        rows.append((name, about.title if about else "", first.unit.value, describe_load(first)))
    table = Table(
        caption="The load of each scenario",
        columns=(
            *words("scenario"),
            *words("what it asks for", long=True),
            *words("unit"),
            *words("load", long=True),
        ),
        rows=tuple(rows),
    )
    return Part(name="loads", title="The scenarios", tables=(table,), room=Room.FULL)
