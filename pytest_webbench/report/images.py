"""Charts as images, for a slide or a paper: SVG and PNG."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import vl_convert

from pytest_webbench.analysis.cross_run import set_beside
from pytest_webbench.analysis.summary import latency_curve
from pytest_webbench.model.saved_run import RunRecord
from pytest_webbench.report.charts import (
    PRINT,
    Chart,
    as_spec,
    cost_chart,
    latency_chart,
    paper_chart,
    rounds_chart,
    scenario_chart,
)
from pytest_webbench.report.content.tables import clean, describe_load, scenario_groups

__all__ = ["as_png", "as_svg", "chart_images"]

WIDTH = 640
"""Pixels; twice as many in a PNG."""


def chart_images(records: Sequence[RunRecord]) -> Iterator[tuple[str, dict[str, Any]]]:
    """A name for a file and a specification, for each chart of the last of ``records``."""
    record = records[-1]
    stacks, taken = record.stacks(), set[str]()
    for scenario in record.scenarios():
        for group in scenario_groups(record.cells_of(scenario)):
            title = f"{clean(scenario)}: {describe_load(group[0])}"
            curves = {
                each.cell.stack: latency_curve([one.load.latency_ns for one in record.rounds_of(each.cell)])
                for each in group
                if each.validity.valid
            }
            known = {stack: curve for stack, curve in curves.items() if curve}
            charts: dict[str, Chart] = {"figures": scenario_chart(group, stacks)}
            if known:
                charts["latency"] = latency_chart(known, stacks, legend=True)
            charts["rounds"] = rounds_chart(group, stacks, legend=True)
            for published in record.about.published:
                beside = set_beside(published, scenario, group)
                if beside is not None and beside.common > 1:
                    charts["published"] = paper_chart(beside, stacks, published.title)
            for kind, chart in charts.items():
                name = _file_name(f"{scenario}-{kind}", taken)
                yield name, as_spec(chart.properties(width=WIDTH, title=title), PRINT)
    if any(each.server_cpu_s_per_request for each in record.summaries):
        chart = cost_chart(record, legend=True).properties(width=WIDTH, title="CPU time for each request")
        yield _file_name("cost", taken), as_spec(chart, PRINT)


def as_svg(spec: Mapping[str, Any]) -> str:
    """The chart as SVG."""
    made: str = vl_convert.vegalite_to_svg(dict(spec))
    return made


def as_png(spec: Mapping[str, Any]) -> bytes:
    """The chart as PNG, with two pixels for one."""
    made: bytes = vl_convert.vegalite_to_png(dict(spec), scale=2)
    return made


def _file_name(words: str, taken: set[str]) -> str:
    """Letters, digits and dashes, whatever a scenario is called, and no name twice."""
    name = re.sub(r"[^A-Za-z0-9_]+", "-", words).strip("-") or "chart"
    number, chosen = 2, name
    while chosen in taken:
        chosen, number = f"{name}-{number}", number + 1
    taken.add(chosen)
    return chosen
