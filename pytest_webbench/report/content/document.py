"""A whole report: its head, whether it can be trusted, and its sections."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from pytest_webbench.analysis.diagnostics import judge_trust, overall
from pytest_webbench.model.results import Diagnostic, Level
from pytest_webbench.model.run import SavedRun
from pytest_webbench.report.content.blocks import Note, NoteKind, Part, Room, Section
from pytest_webbench.report.content.comparison import comparison_sections
from pytest_webbench.report.content.configuration import configuration_sections, describe_machine_briefly
from pytest_webbench.report.content.cost import cost_sections
from pytest_webbench.report.content.counts import LEAVES_OUT, TITLE
from pytest_webbench.report.content.growth import growth_sections
from pytest_webbench.report.content.hot_spots import hot_spot_sections
from pytest_webbench.report.content.published import published_sections
from pytest_webbench.report.content.results import describe_rate, results_sections
from pytest_webbench.report.content.text import counted

__all__ = ["Document", "make_document", "make_sections"]

CONCLUSIONS = {
    Level.GOOD: "No problems were found with this run.",
    Level.DOUBTFUL: "Read the caveats below before you use these results.",
    Level.BAD: "Do not rely on these results.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A report of the last of some runs.

    The colour and shape of a stack depend on its place in ``stacks``.
    """

    title: str
    subtitle: str
    banner: str
    """A notice that no reader may miss; empty in an ordinary report."""
    facts: tuple[tuple[str, str], ...]
    level: Level
    conclusion: str
    diagnostics: tuple[Diagnostic, ...]
    sections: tuple[Section, ...]
    version: str
    stacks: tuple[str, ...]


def make_document(records: Sequence[SavedRun]) -> Document:
    """Return the report of the last of ``records``, compared with those before it."""
    record = records[-1]
    diagnostics = judge_trust(record)
    level = overall(diagnostics)
    return Document(
        title=_title(records),
        subtitle=", ".join(record.stacks()),
        banner=LEAVES_OUT if record.counts else "",
        facts=tuple(_facts(record)),
        level=level,
        conclusion=CONCLUSIONS[level],
        diagnostics=diagnostics,
        sections=make_sections(records),
        version=record.metadata.version or version("pytest-webbench"),
        stacks=record.stacks(),
    )


def _title(records: Sequence[SavedRun]) -> str:
    record = records[-1]
    stacks, scenarios = len(record.stacks()), len(record.scenarios())
    if not stacks:
        return "A benchmark without results"
    what = f"{counted(stacks, 'Python web stack')} in {counted(scenarios, 'scenario')}"
    what = f"{TITLE}: {what}" if record.counts else what
    return f"{what}, compared with {counted(len(records) - 1, 'other run')}" if len(records) > 1 else what


def _facts(record: SavedRun) -> Iterator[tuple[str, str]]:
    """Yield what was measured, and on what, in a few words."""
    yield "machine", describe_machine_briefly(record.metadata.machine)
    if record.summaries:
        yield "launcher", " / ".join(dict.fromkeys(each.launch.launcher for each in record.summaries))
    if record.settings is not None:
        profile = record.settings.profile
        yield "profile", f"{profile.name}, {counted(profile.rounds, 'round')} per benchmark"
        if profile.counts:
            yield "measured", "instructions in user space, counted by Valgrind; nothing was timed"
    if record.metadata.started:
        yield "started", record.metadata.started.replace("T", " ")


def _failure_sections(records: Sequence[SavedRun]) -> Iterator[Section]:
    """Yield stacks and cells without results, and problems with the run's files."""
    record = records[-1]
    failed = {
        **{f"{stack} failed": error for stack, error in record.stack_failures.items()},
        **{f"{cell} failed the check": error for cell, error in record.check_failures.items()},
    }
    failures = [Part(title=title, code=error, room=Room.FULL) for title, error in failed.items()]
    notes = (
        *(Note(subject=record.source, text=note) for note in record.notes),
        *(Note(subject=each.scenario, text=describe_rate(each)) for each in record.rates),
        *(
            Note(kind=NoteKind.FAILED, subject=str(cell), text=error)
            for cell, error in record.trial_failures.items()
        ),
    )
    rest = [Part(notes=notes, room=Room.FULL)] if notes else []
    if failures or rest:
        yield Section(name="notes", title="Failures and notes", parts=(*failures, *rest))


SECTIONS: tuple[Callable[[Sequence[SavedRun]], Iterator[Section]], ...] = (
    comparison_sections,
    growth_sections,
    results_sections,
    published_sections,
    cost_sections,
    hot_spot_sections,
    configuration_sections,
    _failure_sections,
)
"""The functions that make the sections of a report, in order; each leaves out empty sections."""


def make_sections(records: Sequence[SavedRun]) -> tuple[Section, ...]:
    """Return the sections for the last of ``records``, in every format."""
    return tuple(section for make in SECTIONS for section in make(records))
