"""How a run was made, all of it, as tables and facts."""

import shlex
from collections.abc import Callable, Iterator, Sequence

from pytest_webbench.model.measurement import Machine
from pytest_webbench.model.results import CellSummary
from pytest_webbench.model.saved_run import RunRecord
from pytest_webbench.model.settings import Settings
from pytest_webbench.report.content.tables import Column, Table, clean, describe_load
from pytest_webbench.report.content.view import Part

__all__ = ["configuration_parts", "describe_machine_briefly", "machine_facts", "repeating"]

NAMES = {
    "engine": "container engine",
    "cpus": "processors of each container",
    "memory": "memory of each container",
}
"""What is printed for the names of a launch's configuration that stand for something else as well."""
KEPT_OPEN = "kept open for the whole round, one for each user (HTTP keep-alive)"


def configuration_parts(record: RunRecord) -> tuple[Part, ...]:
    """The command, the run, the machine, the stacks and the scenarios."""
    machine = record.about.machine
    parts = []
    if record.about.command:
        lead = "Run in the same folder, with the same version of the package:"
        parts.append(Part(name="repeat", title="The command", lead=(lead,), code=repeating(record)))
    parts.append(Part(name="how", title="The run", facts=tuple(_run_facts(record))))
    parts.append(
        Part(
            name="machine",
            title="The machine",
            facts=machine_facts(machine) if machine else (),
            lead=() if machine else ("What was measured does not say on which machine.",),
        )
    )
    parts.append(_stacks_part(record))
    parts.append(_scenarios_part(record))
    return tuple(parts)


def repeating(record: RunRecord) -> str:
    """The command that makes the run again, without passwords."""
    return clean(shlex.join(record.about.command))


def describe_machine_briefly(machine: Machine | None) -> str:
    """A line about the machine."""
    if machine is None:
        return "a machine that was not recorded"
    cores = "" if machine.cores is None else f"{machine.cores} processor{'s' if machine.cores != 1 else ''}"
    memory = "" if machine.memory_bytes is None else f"{machine.memory_bytes / (1 << 30):.0f} GiB"
    virtual = "virtual machine" if machine.virtualised else ""
    return clean(", ".join(filter(None, (machine.processor, cores, memory, machine.system, virtual))))


def machine_facts(machine: Machine) -> tuple[tuple[str, str], ...]:
    """Everything that is known of the machine, and what is not."""
    unknown = "not known"
    memory = unknown if machine.memory_bytes is None else f"{machine.memory_bytes / (1 << 30):.1f} GiB"
    facts = {
        "processor": machine.processor or unknown,
        "processors to use": unknown if machine.cores is None else str(machine.cores),
        "memory": memory,
        "kernel": machine.system or unknown,
        "clock rate governor": machine.governor or "not known, as in most virtual machines",
        "virtual machine": machine.virtualised or "nothing says so",
        "Python of pytest": machine.python or unknown,
    }
    return tuple((name, clean(value)) for name, value in facts.items())


def _run_facts(record: RunRecord) -> Iterator[tuple[str, str]]:
    about, settings, first = record.about, record.settings, record.summaries[0] if record.summaries else None
    yield "saved as", clean(record.source)
    if about.version:
        yield "pytest-webbench", clean(about.version)
    if about.started:
        yield "started", clean(about.started.replace("T", " "))
    if first is not None:
        yield "launcher", clean(_listed(record.summaries, lambda each: each.launch.launcher))
        yield "engine", clean(_listed(record.summaries, lambda each: each.engine))
        yield "loop", clean(_listed(record.summaries, lambda each: each.model))
        yield "records in the database", _listed(record.summaries, lambda each: f"{each.records:,}")
    yield "connections", KEPT_OPEN
    if settings is not None:
        yield from _settings_facts(settings, record)
    shared = _shared(record.summaries)
    if "cpus" not in shared:
        yield "limits of processors and memory", "none that all stacks share"
    for name, value in shared.items():
        if name != "image_bytes":
            yield clean(NAMES.get(name, name.replace("_", " "))), clean(str(value))


def _settings_facts(settings: Settings, record: RunRecord) -> Iterator[tuple[str, str]]:
    profile = settings.profile
    yield "profile", clean(f"{profile.name}: {profile.title}")
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
    yield "versions", clean(f"{settings.versions.name}: {settings.versions.title}")
    yield "time allowed for a request", f"{settings.request_timeout_s:g} s"
    yield "time allowed for a start", f"{settings.start_timeout_s:g} s"


def _listed(summaries: Sequence[CellSummary], of: Callable[[CellSummary], str]) -> str:
    return " / ".join(dict.fromkeys(map(of, summaries)))


def _shared(summaries: Sequence[CellSummary]) -> dict[str, str | int]:
    """What is the same for every launch, but for the command."""
    configs = [each.launch.config for each in summaries]
    return {
        name: value
        for name, value in (configs[0].items() if configs else ())
        if name != "command" and all(config.get(name) == value for config in configs)
    }


def _stacks_part(record: RunRecord) -> Part:
    shared = _shared(record.summaries)
    launches = {each.cell.stack: each.launch for each in record.summaries}
    rows, installed = [], []
    for stack in record.stacks():
        launch, about = launches[stack], record.about.stacks.get(stack)
        versions = [f"{name} {launch.versions[name]}" for name in launch.packages if name in launch.versions]
        own = [
            f"{name} {value}"
            for name, value in launch.config.items()
            if name not in shared and name not in ("command", "image_bytes")
        ]
        rows.append(
            (
                clean(stack),
                clean(about.title if about else ""),
                clean(launch.versions.get("python", "not known")),
                clean(", ".join(versions)),
                clean(", ".join(own)),
                clean(str(launch.config.get("command", ""))),
            )
        )
        everything = ", ".join(f"{name} {version}" for name, version in launch.versions.items())
        installed.append((clean(stack), clean(everything) or "not known"))
    names = ("stack", "what it is", "Python", "versions", "settings of its own", "command")
    table = Table(
        caption="Each stack, and what is its own", columns=tuple(map(_words, names)), rows=tuple(rows)
    )
    all_of_it = Table(
        caption="All that is installed for each stack",
        columns=(_words("stack"), _words("distributions")),
        rows=tuple(installed),
    )
    return Part(name="stacks", title="The stacks", tables=(table,), folded=(all_of_it,))


def _scenarios_part(record: RunRecord) -> Part:
    rows = []
    for name in record.scenarios():
        first, about = record.cells_of(name)[0], record.about.scenarios.get(name)
        rows.append(
            (clean(name), clean(about.title if about else ""), first.unit.value, describe_load(first))
        )
    names = ("scenario", "what it asks for", "unit", "load")
    table = Table(caption="The load of each scenario", columns=tuple(map(_words, names)), rows=tuple(rows))
    return Part(name="loads", title="The scenarios", tables=(table,))


def _words(name: str) -> Column:
    return Column(name=name)
