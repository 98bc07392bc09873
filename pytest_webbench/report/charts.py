"""The charts of a report: each a pure function from figures to a chart of Altair.

A stack has one colour and one shape in all of them. They come from the configuration that a chart is drawn
with (:data:`SCREEN`, whose colours the page's style sheet defines, or :data:`PRINT`), by the place of
the stack in ``stacks``, so that dark and light need the same charts.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from pytest_webbench.analysis.cross_run import Agreement
from pytest_webbench.analysis.metrics import columns
from pytest_webbench.analysis.summary import Point, rank
from pytest_webbench.model.results import CellSummary, Interval
from pytest_webbench.model.saved_run import RunRecord
from pytest_webbench.report.content.numbers import (
    shown_interval,
    shown_milliseconds,
    shown_number,
    shown_ratio,
    shown_significant,
)
from pytest_webbench.report.content.tables import clean, rank_words

__all__ = [
    "PRINT",
    "SCREEN",
    "SHAPES",
    "STEP",
    "Chart",
    "ForestRow",
    "as_spec",
    "cost_chart",
    "forest_chart",
    "latency_chart",
    "paper_chart",
    "rounds_chart",
    "scenario_chart",
]

Chart = alt.Chart | alt.LayerChart | alt.FacetChart

COLOURS = ("#0072b2", "#c2500a", "#00805d", "#a8518a", "#856404", "#2c7fb8", "#6b5bd2", "#5f6b7a")
"""Told apart by people who are colour-blind (after Okabe and Ito), dark enough for white paper."""
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
STEP = 30
"""Pixels for a stack."""


def _config(ink: str, muted: str, line: str, colours: Sequence[str]) -> dict[str, Any]:
    axis = {
        "labelColor": muted,
        "titleColor": muted,
        "gridColor": line,
        "domainColor": line,
        "tickColor": line,
    }
    font = "system-ui, sans-serif"
    return {
        "background": "transparent",
        "font": font,
        "view": {"stroke": None},
        "axis": {**axis, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"},
        "axisY": {"labelLimit": 190, "grid": False},
        "text": {"color": ink, "fill": ink},
        "rule": {"color": muted},
        "tick": {"color": muted},
        "legend": {"labelColor": ink, "titleColor": muted, "labelLimit": 220},
        "title": {"color": ink},
        "range": {"category": list(colours), "symbol": list(SHAPES)},
    }


SCREEN = _config(
    "var(--ink)",
    "var(--muted)",
    "var(--line)",
    [f"var(--c{number})" for number in range(1, 1 + len(COLOURS))],
)
PRINT = _config("#1c2024", "#5b636e", "#d9dde3", COLOURS) | {"background": "#ffffff"}


def as_spec(chart: Chart, config: Mapping[str, Any]) -> dict[str, Any]:
    """The specification of Vega-Lite, with the colours of ``config``.

    Altair's check of it against the schema is left out: it takes longer than all else, and a test does it.
    """
    made: dict[str, Any] = chart.to_dict(validate=False)
    del made["$schema"]  # whatever draws it knows which Vega-Lite it has
    return {**made, "config": dict(config), "autosize": {"type": "fit-x", "contains": "padding"}}


def _data(rows: Sequence[Mapping[str, Any]]) -> alt.InlineData:
    """``rows`` with ``null`` for what is not a number or has no end."""
    return alt.InlineData(values=[{key: _finite(value) for key, value in row.items()} for row in rows])


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _known(names: Sequence[str]) -> list[str]:
    return [clean(name) for name in names]


def _colour(stacks: Sequence[str], *, legend: bool) -> alt.Color:
    shown = alt.Legend(title=None, orient="bottom", columns=3) if legend else None
    return alt.Color("stack:N", scale=alt.Scale(domain=_known(stacks)), legend=shown)


def _shape(stacks: Sequence[str], *, legend: bool) -> alt.Shape:
    shown = alt.Legend(title=None, orient="bottom", columns=3) if legend else None
    return alt.Shape("stack:N", scale=alt.Scale(domain=_known(stacks)), legend=shown)


def _tooltip(**titles: str) -> list[alt.Tooltip]:
    return [alt.Tooltip(f"{name}:N", title=title) for name, title in titles.items()]


def scenario_chart(group: Sequence[CellSummary], stacks: Sequence[str]) -> Chart:
    """The stacks of a scenario, the fastest first: figure, interval, and each round as a small dot.

    Invalid cells stand last, crossed out.
    """
    unit = group[0].unit
    standings = rank(group)
    cells: list[dict[str, Any]] = []
    rounds: list[dict[str, Any]] = []
    for words, standing in zip(rank_words(standings), standings, strict=True):
        each = standing.summary
        cells.append(
            {
                "stack": clean(each.cell.stack),
                "value": each.result.estimate,
                "low": each.result.low,
                "high": each.result.high,
                "valid": standing.rank is not None,
                "rank": words,
                "shown": f"{shown_number(each.result.estimate, unit)} {unit.value}",
                "interval": shown_interval(each.result, unit),
                "slower": shown_ratio(standing.ratio),
                **{
                    metric.key: f"{metric.shown(each.value(metric.key))} {metric.quantity.shown}".strip()
                    for metric in columns(brief=True)
                },
            }
        )
        rounds += [
            {
                "stack": clean(each.cell.stack),
                "value": value,
                "round": str(number + 1),
                "shown": f"{shown_number(value, unit)} {unit.value}",
            }
            for number, value in each.shown_rounds().items()
        ]
    order = [row["stack"] for row in cells]
    y = alt.Y("stack:N", sort=order, title=None, axis=alt.Axis(ticks=False, domain=False, labelPadding=8))
    better = "more is better" if unit.value == "req/s" else "less is better"
    title = f"{unit.value}, {better}"
    x = alt.X("value:Q", title=title, scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=6))
    tooltip = _tooltip(
        stack="stack",
        rank="rank",
        shown="figure",
        interval="95 % interval",
        slower="x slower",
        **{each.key: each.title for each in columns(brief=True)},
    )
    base = alt.Chart(_data(cells))
    colour = _colour(stacks, legend=False)
    interval = base.mark_rule(strokeWidth=7, opacity=0.28, strokeCap="round").encode(
        y=y, x=alt.X("low:Q", title=title), x2="high:Q", color=colour
    )
    dots = (
        alt.Chart(_data(rounds))
        .mark_circle(size=26, opacity=0.85)
        .encode(y=y, x=x, color=colour, tooltip=_tooltip(stack="stack", round="round", shown="figure"))
    )
    points = (
        base.mark_point(filled=True, size=110, opacity=1)
        .encode(y=y, x=x, color=colour, shape=_shape(stacks, legend=False), tooltip=tooltip)
        .transform_filter("datum.valid")
    )
    crosses = (
        base.mark_text(text="\N{MULTIPLICATION SIGN} invalid", align="left", dx=-4, dy=-10, fontSize=11)
        .encode(y=y, x=x, tooltip=tooltip)
        .transform_filter("!datum.valid")
    )
    chart = alt.layer(interval, dots, points, crosses)
    return chart.properties(width="container", height=STEP * len(order))


def latency_chart(curves: Mapping[str, Sequence[Point]], stacks: Sequence[str], *, legend: bool) -> Chart:
    """Response times over percentiles, on an axis on which each nine takes as much room as the one before."""
    rows: list[dict[str, Any]] = [
        {
            "stack": clean(stack),
            "beyond": 1 / (1 - each.share),
            "ms": each.latency_s * 1000,
            "percentile": f"p{each.share * 100:g}",
            "shown": f"{shown_milliseconds(each.latency_s)} ms",
        }
        for stack, curve in curves.items()
        for each in curve
    ]
    labels = (
        "datum.value < 1.5 ? '' : datum.value < 5 ? '50 %' : format(100 - 100 / datum.value, '~r') + ' %'"
    )
    most = max((row["beyond"] for row in rows), default=10.0)
    marks = [mark for mark in (1, 2, 10, 100, 1000) if mark <= most * 1.01]
    base = alt.Chart(_data(rows)).encode(
        x=alt.X(
            "beyond:Q",
            title="share of the requests (log scale)",
            scale=alt.Scale(type="log", domain=[1, max(most, 2)], nice=False),
            axis=alt.Axis(values=marks, labelExpr=labels, grid=True),
        ),
        y=alt.Y("ms:Q", title="answered within, ms", axis=alt.Axis(grid=True, tickCount=5)),
        color=_colour(stacks, legend=legend),
        tooltip=_tooltip(stack="stack", percentile="percentile", shown="answered within"),
    )
    lines = base.mark_line(strokeWidth=2)
    points = base.mark_point(filled=True, size=28, opacity=1).encode(shape=_shape(stacks, legend=legend))
    return alt.layer(lines, points).properties(width="container", height=220)


def rounds_chart(group: Sequence[CellSummary], stacks: Sequence[str], *, legend: bool) -> Chart:
    """The figure of each round, in the order in which they were made."""
    unit = group[0].unit
    rows = [
        {
            "stack": clean(summary.cell.stack),
            "round": number + 1,
            "value": value,
            "shown": f"{shown_number(value, unit)} {unit.value}",
        }
        for summary in group
        for number, value in summary.shown_rounds().items()
    ]
    numbers = {row["round"] for row in rows}
    ticks = alt.Axis(tickMinStep=1, tickCount=min(10, max(1, len(numbers))), format="d", grid=False)
    base = alt.Chart(_data(rows)).encode(
        x=alt.X("round:Q", title="round", axis=ticks, scale=alt.Scale(zero=False, padding=12, nice=False)),
        y=alt.Y("value:Q", title=unit.value, axis=alt.Axis(grid=True, tickCount=5)),
        color=_colour(stacks, legend=legend),
        tooltip=_tooltip(stack="stack", round="round", shown="figure"),
    )
    points = base.mark_point(filled=True, size=46, opacity=1).encode(shape=_shape(stacks, legend=legend))
    return alt.layer(base.mark_line(strokeWidth=1.5), points).properties(width="container", height=220)


def paper_chart(found: Agreement, stacks: Sequence[str], title: str) -> Chart:
    """How many times as long as the best each stack takes: published (hollow) and here (filled)."""
    theirs = clean(title)
    rows = [
        {
            "stack": clean(each.stack),
            "published": each.published_ratio,
            "ours": each.ours_ratio,
            "shown": shown_significant(each.published_ratio),
            "shown_ours": shown_significant(each.ours_ratio),
        }
        for each in found.rows
        if each.ours_ratio is not None
    ]
    scale = alt.Scale(type="log", nice=False, padding=8)
    axis = alt.Axis(format="~r", tickCount=4, grid=True)
    tooltip = _tooltip(stack="stack", shown=f"{theirs}, x best", shown_ours="this run, x best")
    y = alt.Y("stack:N", title=None, sort=_known(stacks), axis=alt.Axis(ticks=False, domain=False))
    x_title = "times as long as the best (log scale)"
    base = alt.Chart(_data(rows)).encode(y=y)
    colour, shape = _colour(stacks, legend=False), _shape(stacks, legend=False)
    line = base.mark_rule(strokeWidth=1.5, opacity=0.6).encode(
        x=alt.X("published:Q", title=x_title, scale=scale, axis=axis), x2="ours:Q"
    )
    hollow = base.mark_point(filled=False, size=90, strokeWidth=1.8, opacity=1).encode(
        x=alt.X("published:Q", title=x_title, scale=scale), color=colour, shape=shape, tooltip=tooltip
    )
    full = base.mark_point(filled=True, size=90, opacity=1).encode(
        x=alt.X("ours:Q", title=x_title, scale=scale), color=colour, shape=shape, tooltip=tooltip
    )
    return alt.layer(line, hollow, full).properties(width="container", height=24 * max(1, len(rows)))


def _log_ticks(values: Sequence[float]) -> list[float]:
    """Numbers such as 0.5, 1, 2, 5 and 10 among ``values``, or powers of ten alone where that suffices."""
    if not values:
        return []
    low, high = min(values) * 0.95, max(values) * 1.05
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    fine = [step * 10.0**decade for decade in decades for step in (1, 2, 5)]
    shown = [tick for tick in fine if low <= tick <= high]
    return shown if len(shown) <= 10 else [tick for tick in shown if tick in {10.0**each for each in decades}]


def cost_chart(record: RunRecord, *, legend: bool) -> Chart:
    """The processor time of the server for each request, by scenario."""
    stacks, scenarios = record.stacks(), _known(record.scenarios())
    rows: list[dict[str, Any]] = [
        {
            "stack": clean(each.cell.stack),
            "scenario": clean(each.cell.scenario),
            "cpu": cpu_s * 1000,
            "shown": f"{shown_milliseconds(cpu_s, 3)} ms",
            "rate": f"{shown_significant(1 / cpu_s)} requests per CPU-second",
        }
        for each in record.summaries
        if (cpu_s := each.server_cpu_s_per_request)
    ]
    axis = alt.Axis(ticks=False, domain=False, grid=True, labelPadding=8)
    chart: alt.Chart = (
        alt.Chart(_data(rows))
        .mark_point(filled=True, size=90, opacity=0.95)
        .encode(
            y=alt.Y("scenario:N", title=None, sort=scenarios, axis=axis),
            x=alt.X(
                "cpu:Q",
                title="CPU ms per request (log scale), less is better",
                scale=alt.Scale(type="log", nice=False, padding=16),
                axis=alt.Axis(format="~r", values=_log_ticks([row["cpu"] for row in rows])),
            ),
            color=_colour(stacks, legend=legend),
            shape=_shape(stacks, legend=legend),
            tooltip=_tooltip(scenario="scenario", stack="stack", shown="CPU per request", rate="throughput"),
        )
    )
    return chart.properties(width="container", height=STEP * max(1, len(scenarios)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestRow:
    """A line of a comparison: a ratio with its interval, and how far up it may go (0.05), if it is judged."""

    label: str
    ratio: Interval
    verdict: str
    limit: float | None = None


VERDICTS = ("faster", "slower", "no change", "inconclusive", "not told apart")
VERDICT_SHAPES = ("triangle-left", "triangle-right", "circle", "diamond", "diamond")


def forest_chart(rows: Sequence[ForestRow]) -> Chart:
    """Ratios with their intervals beside 1, and the growth that is allowed."""
    data: list[dict[str, Any]] = [
        {
            "label": clean(each.label),
            "ratio": each.ratio.estimate,
            "low": each.ratio.low if math.isfinite(each.ratio.high) else math.nan,
            "high": each.ratio.high,
            "limit": math.nan if each.limit is None else 1 + each.limit,
            "verdict": each.verdict,
            "shown": shown_ratio(each.ratio),
        }
        for each in rows
    ]
    order = [row["label"] for row in data]
    y = alt.Y(
        "label:N",
        title=None,
        sort=order,
        axis=alt.Axis(ticks=False, domain=False, grid=True, labelLimit=230, labelPadding=8),
    )
    title = "times as long as the base"
    scale = alt.Scale(zero=False, padding=16)
    x = alt.X("ratio:Q", title=title, scale=scale, axis=alt.Axis(tickCount=5))
    base = alt.Chart(_data(data))
    one = alt.Chart(_data([{"one": 1.0}])).mark_rule(strokeWidth=1.5).encode(x=alt.X("one:Q", title=title))
    present = {each.verdict for each in rows}
    legend = alt.Legend(title=None, orient="bottom", values=[each for each in VERDICTS if each in present])
    colour = alt.Color("verdict:N", scale=alt.Scale(domain=list(VERDICTS)), legend=legend)
    shapes = alt.Scale(domain=list(VERDICTS), range=list(VERDICT_SHAPES))
    shape = alt.Shape("verdict:N", scale=shapes, legend=legend)
    tooltip = _tooltip(label="cell", verdict="verdict", shown="ratio")
    interval = base.mark_rule(strokeWidth=2.5, opacity=0.6).encode(
        y=y, x=alt.X("low:Q", title=title, scale=scale), x2="high:Q", color=colour
    )
    allowed = base.mark_tick(thickness=2, size=16, opacity=0.8).encode(y=y, x=alt.X("limit:Q", title=title))
    points = base.mark_point(filled=True, size=80, opacity=1).encode(
        y=y, x=x, color=colour, shape=shape, tooltip=tooltip
    )
    return alt.layer(one, interval, allowed, points).properties(width="container", height=22 * len(rows))
