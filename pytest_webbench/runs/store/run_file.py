"""``run.json``: what was going to be measured, and how, written before anything is launched."""

from dataclasses import fields, replace
from pathlib import Path

from pytest_webbench.analysis.masking import mask_url
from pytest_webbench.host.files import write_whole
from pytest_webbench.model.codec import encode, to_saved
from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.plan import Plan
from pytest_webbench.model.run import RunMetadata
from pytest_webbench.model.settings import Settings
from pytest_webbench.runs.store.files import NO_RUN, check_format, read_document, value_of

__all__ = ["FORMAT", "NAME", "PLAN", "read_run_file", "write_run_file"]

NAME = "run.json"
FORMAT = 1
"""The version of the files in the folder of a run, ``trials.jsonl`` and ``explained.jsonl`` with them.

1: the first one. What is known of the run itself may be missing, and so may any field with a default.
"""
SETTINGS, PLAN = "settings", "plan"


def write_run_file(folder: Path, settings: Settings, plan: Plan, about: RunMetadata) -> None:
    """Write the file, without passwords; it is written whole or not at all. Raises :class:`OSError`."""
    urls = tuple(replace(each, url=mask_url(each.url)) for each in settings.urls)
    content = {"format": FORMAT, SETTINGS: replace(settings, urls=urls), PLAN: plan, **to_saved(about)}
    write_whole(folder / NAME, encode(content, indent=1))


def read_run_file(folder: Path) -> tuple[Settings, Plan, RunMetadata]:
    """What the file says. Raises :class:`~pytest_webbench.model.errors.UsageError`."""
    file = folder / NAME
    if not file.exists():
        raise UsageError(f"{folder} is not the folder of a run: it has no {NAME}", hint=NO_RUN)
    data = read_document(file)
    check_format(file, data.get("format"), FORMAT)
    about = {each.name: data[each.name] for each in fields(RunMetadata) if each.name in data}
    return (
        value_of(Settings, data.get(SETTINGS), file, "the settings of a run"),
        value_of(Plan, data.get(PLAN), file, "a plan"),
        value_of(RunMetadata, about, file, "a run"),
    )
