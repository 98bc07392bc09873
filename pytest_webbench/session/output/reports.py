"""Writes reports to files."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_webbench.host.files import write_whole
from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.run import SavedRun
from pytest_webbench.runs.store import read_run

__all__ = ["KINDS", "PAGE", "write_markdown", "write_page", "write_reports"]

PAGE = "report.html"
KINDS = ("html", "markdown", "svg", "png")


def write_page(run: Path) -> Path:
    """Write the HTML report of a run into its folder ``run``, and return the path.

    Raises :class:`OSError` and :class:`~pytest_webbench.model.errors.UsageError`.
    """
    (file,) = write_reports([run], kinds=("html",), folder=run)
    return file


def write_reports(
    paths: Sequence[Path], *, kinds: Sequence[str], folder: Path, most_bytes: int | None = None
) -> list[Path]:
    """Write reports of the saved runs at ``paths`` into ``folder``, and return the files.

    The last run is shown, compared with those before it. No run may be larger than ``most_bytes``, packed or
    unpacked; by default there is no limit. Raises :class:`OSError` for files that cannot be written, and
    :class:`~pytest_webbench.model.errors.UsageError` for runs that cannot be read.
    """
    records = [read_run(path, most_bytes=most_bytes) for path in paths]
    last = records[-1]
    if not (last.summaries or last.live or last.stack_failures or last.check_failures):
        raise UsageError(
            f"{paths[-1]} has no results: no benchmark was completed",
            hint="see the logs in its folder, or give another run",
        )
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in _contents(records, kinds):
        write_whole(folder / name, content)
        written.append(folder / name)
    return written


def _contents(records: Sequence[SavedRun], kinds: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of the files. Drawing libraries take a second to import, so only here."""
    if "html" in kinds:
        from pytest_webbench.report.page import render_page  # noqa: PLC0415

        yield PAGE, render_page(records).encode()
    if "markdown" in kinds:
        from pytest_webbench.report.markdown import render_report  # noqa: PLC0415

        yield "report.md", render_report(records).encode()
    if "svg" in kinds or "png" in kinds:
        from pytest_webbench.report.images import as_png, as_svg, chart_images  # noqa: PLC0415

        for name, spec in chart_images(records):
            if "svg" in kinds:
                yield f"{name}.svg", as_svg(spec).encode()
            if "png" in kinds:
                yield f"{name}.png", as_png(spec)


def write_markdown(markdown: str, *, file: Path | None) -> None:
    """Write ``markdown`` to ``file``, and append it to the job summary of GitHub Actions.

    The environment variable ``GITHUB_STEP_SUMMARY`` names the file of the summary, if there is one. Raises
    :class:`OSError`.
    """
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, markdown.encode())
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a", encoding="utf-8") as job:
            job.write(markdown)
