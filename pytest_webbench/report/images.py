"""Charts as SVG and PNG images, for slides or papers."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import vl_convert

from pytest_webbench.model.run import SavedRun
from pytest_webbench.report.charts import PRINT, Charts, as_spec
from pytest_webbench.report.content.document import make_sections

__all__ = ["as_png", "as_svg", "chart_images"]

WIDTH = 640
"""Pixels; twice as many in a PNG."""


def chart_images(records: Sequence[SavedRun]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a file name and a specification for each chart in a report of the last of ``records``."""
    taken = set[str]()
    charts = (chart for each in make_sections(records) for part in each.parts for chart in part.charts)
    for chart in charts:
        drawn = chart.draw(Charts(legend=True)).properties(width=WIDTH, title=chart.table.caption)
        yield _file_name(chart.file, taken), as_spec(drawn, PRINT)


def as_svg(spec: Mapping[str, Any]) -> str:
    """Return the chart as SVG."""
    made: str = vl_convert.vegalite_to_svg(dict(spec))
    return made


def as_png(spec: Mapping[str, Any]) -> bytes:
    """Return the chart as PNG, at twice the resolution."""
    made: bytes = vl_convert.vegalite_to_png(dict(spec), scale=2)
    return made


def _file_name(words: str, taken: set[str]) -> str:
    """Return a unique name of letters, digits and dashes, even if the scenario's name has others."""
    name = re.sub(r"[^A-Za-z0-9_]+", "-", words).strip("-") or "chart"
    number, chosen = 2, name
    while chosen in taken:
        chosen, number = f"{name}-{number}", number + 1
    taken.add(chosen)
    return chosen
