"""Charts as specifications: what is in them, and that Vega-Lite's schema allows it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_webbench.analysis.cross_run import set_beside
from pytest_webbench.analysis.summary import latency_curve
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import CodeProfile, Interval, Validity
from pytest_webbench.model.suite import Published
from pytest_webbench.report.charts import COLOURS, PRINT, SCREEN, AltairChart, Charts, as_spec
from pytest_webbench.report.content.comparison import RatioRow
from pytest_webbench.report.images import as_png, as_svg, chart_images
from tests.builders import make_run, make_summary

STACKS = ("fast", "slow", "broken")
GROUP = [
    make_summary([0.010, 0.011], stack="fast"),
    make_summary([0.020, 0.021], stack="slow"),
    make_summary([0.020, 0.021], stack="broken", validity=Validity(reasons=("a reason",))),
]
PROFILE = CodeProfile(
    cell=Cell(scenario="get_item", stack="fast"), rate_hz=100, stacks={"run (gunicorn/app.py:1)": 9}
)
PUBLISHED = Published(title="a study", citation="x", figures={"get_item": {"fast": 1.0, "slow": 3.0}})


def all_charts() -> Iterator[tuple[str, AltairChart]]:
    record = make_run({Cell(scenario="get_item", stack=name): (0.01, 0.012) for name in STACKS})
    curves = {"fast": latency_curve([record.measurements[0].load.latency_ns])}
    beside = set_beside(PUBLISHED, "get_item", GROUP)
    assert beside is not None
    endless = Interval(estimate=1.5, low=0.0, high=float("inf"))
    rows = [
        RatioRow(label="a", ratio=Interval(estimate=1.1, low=1.0, high=1.2), verdict="slower", limit=0.05),
        RatioRow(label="b", ratio=endless, verdict="indistinguishable"),
    ]
    charts = Charts(legend=True)
    yield "scenario", charts.ranking(GROUP, STACKS)
    yield "one round", charts.ranking([make_summary([0.01], stack="fast")], STACKS)
    yield "latency", charts.latencies(curves, STACKS)
    yield "rounds", charts.rounds(GROUP, STACKS)
    yield "paper", charts.beside(beside, STACKS, "a study")
    yield "cost", Charts().costs(record)
    yield "ratios", charts.ratios(rows)
    yield "parts", charts.part_times([PROFILE])
    yield "flame", charts.flame(PROFILE)


CHARTS = dict(all_charts())


@pytest.mark.parametrize("name", CHARTS)
def test_the_schema_of_vega_lite_allows_each_chart(name: str) -> None:
    CHARTS[name].to_dict(validate=True)


@pytest.mark.parametrize("name", CHARTS)
def test_a_specification_is_strict_json(name: str) -> None:
    for config in (SCREEN, PRINT):
        json.dumps(as_spec(CHARTS[name], config), allow_nan=False)


def encodings(value: Any) -> Iterator[dict[str, Any]]:
    """Each encoding of a specification, in whichever layer."""
    if isinstance(value, dict):
        if isinstance(value.get("encoding"), dict):
            yield value["encoding"]
        for each in value.values():
            yield from encodings(each)
    elif isinstance(value, list):
        for each in value:
            yield from encodings(each)


@pytest.mark.parametrize("name", ["scenario", "latency", "rounds", "paper"])
def test_a_stack_has_one_colour_and_one_shape_in_all_charts(name: str) -> None:
    found = [
        each[channel]["scale"]["domain"]
        for each in encodings(as_spec(CHARTS[name], SCREEN))
        for channel in ("color", "shape")
        if channel in each
    ]
    assert found
    assert all(domain == list(STACKS) for domain in found)


def test_an_invalid_cell_is_marked_and_stands_last() -> None:
    spec = json.dumps(as_spec(CHARTS["scenario"], SCREEN))
    assert '"sort": ["fast", "slow", "broken"]' in spec
    assert "invalid" in spec


def test_hovering_gives_the_numbers() -> None:
    spec = as_spec(CHARTS["scenario"], SCREEN)
    titles = {each["title"] for found in encodings(spec) for each in found.get("tooltip", ())}
    assert {"stack", "rank", "result", "95 % interval", "x slower", "p95", "errors"} <= titles


def test_colours_of_the_screen_come_from_the_style_sheet() -> None:
    assert set(SCREEN["range"]["category"]) == {f"var(--c{number})" for number in range(1, 1 + len(COLOURS))}
    assert all(colour.startswith("#") for colour in PRINT["range"]["category"])


def test_images_are_drawn_without_a_browser() -> None:
    record = make_run({Cell(scenario="get item/..", stack=name): (0.01, 0.012) for name in STACKS})
    images = dict(chart_images([record]))
    assert set(images) == {"get-item-figures", "get-item-latency", "get-item-rounds", "cost"}
    svg = as_svg(images["get-item-figures"])
    assert "<svg" in svg
    assert "var(--" not in svg
    assert as_png(images["cost"]).startswith(b"\x89PNG")
