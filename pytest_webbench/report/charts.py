"""The charts of a report, drawn with Altair.

A stack has the same colour and shape in every chart. They depend on the configuration of the chart
(:data:`SCREEN`, whose colours the style sheet of the page defines, or :data:`PRINT`) and the place of
the stack in ``stacks``, so that one chart serves dark and light.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from pytest_webbench.analysis.cross_run import Agreement
from pytest_webbench.analysis.hot_spots import attribute, flame
from pytest_webbench.analysis.metrics import METRICS, columns
from pytest_webbench.analysis.summary import Point, rank
from pytest_webbench.model.results import CellSummary, CodeProfile, PartTime
from pytest_webbench.model.run import SavedRun
from pytest_webbench.model.suite import Unit
from pytest_webbench.report.content.comparison import RatioRow
from pytest_webbench.report.content.hot_spots import KNOWN_PARTS, in_order
from pytest_webbench.report.content.results import rank_words
from pytest_webbench.report.content.text import (
    clean,
    shown_interval,
    shown_milliseconds,
    shown_number,
    shown_ratio,
    shown_significant,
)

__all__ = ["COLOURS", "PRINT", "SCREEN", "SHAPES", "AltairChart", "Charts", "as_spec"]

AltairChart = alt.Chart | alt.LayerChart | alt.FacetChart

COLOURS = (
    "#0072b2", "#c2500a", "#00805d", "#a8518a", "#856404", "#2c7fb8", "#6b5bd2", "#5f6b7a",
    "#b03a48", "#4d7c0f", "#0f766e", "#9a4fc4",
)  # fmt: skip
"""Distinguishable with colour blindness (after Okabe and Ito), and dark enough for white paper."""
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
STEP = 30
"""Pixels per stack."""
FLAME_STEP = 18
FLAME_WIDTH = 900
"""The approximate width of a flame graph in pixels, which decides how much of a name fits."""
VERDICTS = ("faster", "slower", "no change", "inconclusive", "indistinguishable")
VERDICT_SHAPES = ("triangle-down", "triangle-up", "circle", "diamond", "square")


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


def as_spec(chart: AltairChart, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Vega-Lite specification, with the colours of ``config`` and its texts escaped.

    Altair's validation against the schema takes longer than everything else, so a test does it instead.
    """
    made: dict[str, Any] = _cleaned(chart.to_dict(validate=False))
    del made["$schema"]  # the renderer has its own version of Vega-Lite
    return {**made, "config": dict(config), "autosize": {"type": "fit-x", "contains": "padding"}}


def _cleaned(value: Any) -> Any:
    """Return ``value`` with all its texts escaped, and ``null`` for NaN and infinity."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {key: _cleaned(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _base(rows: Sequence[Mapping[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=[dict(row) for row in rows]))


def _tooltip(**titles: str) -> list[alt.Tooltip]:
    return [alt.Tooltip(f"{name}:N", title=title) for name, title in titles.items()]


def _rows_of(field: str, order: Sequence[str], **options: Any) -> alt.Y:
    """Return the axis with the names down the left-hand side."""
    axis = alt.Axis(ticks=False, domain=False, labelPadding=8, **options)
    return alt.Y(f"{field}:N", title=None, sort=list(order), axis=axis)


def _round_rows(group: Sequence[CellSummary]) -> list[dict[str, Any]]:
    unit = group[0].unit
    return [
        {
            "stack": summary.cell.stack,
            "round": number + 1,
            "value": value,
            "shown": f"{shown_number(value, unit)} {unit.value}",
        }
        for summary in group
        for number, value in summary.shown_rounds().items()
    ]


class Charts:
    """Draws the charts, with a ``legend`` of the stacks if each must be readable by itself."""

    def __init__(self, *, legend: bool = False) -> None:
        self._legend = alt.Legend(title=None, orient="bottom", columns=3) if legend else None

    def _marks(self, stacks: Sequence[str]) -> tuple[alt.Color, alt.Shape]:
        """Return the colour and the shape of each stack, the same in every chart."""
        scale = alt.Scale(domain=list(stacks))
        colour = alt.Color("stack:N", scale=scale, legend=self._legend)
        return colour, alt.Shape("stack:N", scale=scale, legend=self._legend)

    def ranking(self, group: Sequence[CellSummary], stacks: Sequence[str]) -> AltairChart:
        """Draw the stacks of a scenario, the fastest first: result, interval, and each round as a small dot.

        Invalid cells come last, crossed out.
        """
        unit, ranked, metrics = group[0].unit, rank(group), columns(brief=True)
        cells: list[dict[str, Any]] = []
        for place, standing in zip(rank_words(ranked), ranked, strict=True):
            each = standing.summary
            cells.append(
                {
                    "stack": each.cell.stack,
                    "value": each.result.estimate,
                    "low": each.result.low,
                    "high": each.result.high,
                    "valid": standing.rank is not None,
                    "rank": place,
                    "shown": f"{shown_number(each.result.estimate, unit)} {unit.value}",
                    "interval": shown_interval(each.result, unit),
                    "slower": shown_ratio(standing.ratio),
                    **{
                        metric.key: f"{metric.shown(each.value(metric.key))} {metric.quantity.shown}".strip()
                        for metric in metrics
                    },
                }
            )
        title = f"{unit.value}, {'more' if unit is Unit.RATE else 'less'} is better"
        y = _rows_of("stack", [row["stack"] for row in cells])
        x = alt.X("value:Q", title=title, scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=6))
        colour, shape = self._marks(stacks)
        tooltip = _tooltip(
            stack="stack",
            rank="rank",
            shown="result",
            interval="95 % interval",
            slower="x slower",
            **{each.key: each.title for each in metrics},
        )
        base = _base(cells).encode(y=y)
        interval = base.mark_rule(strokeWidth=7, opacity=0.28, strokeCap="round").encode(
            x=alt.X("low:Q", title=title), x2="high:Q", color=colour
        )
        dots = (
            _base(_round_rows(group))
            .mark_circle(size=26, opacity=0.85)
            .encode(y=y, x=x, color=colour, tooltip=_tooltip(stack="stack", round="round", shown="result"))
        )
        points = (
            base.mark_point(filled=True, size=110, opacity=1)
            .encode(x=x, color=colour, shape=shape, tooltip=tooltip)
            .transform_filter("datum.valid")
        )
        crosses = (
            base.mark_text(text="\N{MULTIPLICATION SIGN} invalid", align="left", dx=-4, dy=-10, fontSize=11)
            .encode(x=x, tooltip=tooltip)
            .transform_filter("!datum.valid")
        )
        return alt.layer(interval, dots, points, crosses).properties(
            width="container", height=STEP * len(cells)
        )

    def latencies(self, curves: Mapping[str, Sequence[Point]], stacks: Sequence[str]) -> AltairChart:
        """Draw response times over percentiles, on an axis that gives each nine as much room as the last."""
        rows: list[dict[str, Any]] = [
            {
                "stack": stack,
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
        base = _base(rows).encode(
            x=alt.X(
                "beyond:Q",
                title="percentile of the requests (log scale)",
                scale=alt.Scale(type="log", domain=[1, max(most, 2)], nice=False),
                axis=alt.Axis(values=marks, labelExpr=labels, grid=True),
            ),
            y=alt.Y("ms:Q", title="response time, ms", axis=alt.Axis(grid=True, tickCount=5)),
            tooltip=_tooltip(stack="stack", percentile="percentile", shown="response time"),
        )
        return self._lines(base, stacks)

    def rounds(self, group: Sequence[CellSummary], stacks: Sequence[str]) -> AltairChart:
        """Draw the result of each round, in order."""
        rows = _round_rows(group)
        count = len({row["round"] for row in rows})
        ticks = alt.Axis(tickMinStep=1, tickCount=min(10, max(1, count)), format="d", grid=False)
        base = _base(rows).encode(
            x=alt.X(
                "round:Q", title="round", axis=ticks, scale=alt.Scale(zero=False, padding=12, nice=False)
            ),
            y=alt.Y("value:Q", title=group[0].unit.value, axis=alt.Axis(grid=True, tickCount=5)),
            tooltip=_tooltip(stack="stack", round="round", shown="result"),
        )
        return self._lines(base, stacks)

    def _lines(self, base: alt.Chart, stacks: Sequence[str]) -> AltairChart:
        """Draw a line with its points for each stack."""
        colour, shape = self._marks(stacks)
        lines = base.encode(color=colour)
        points = lines.mark_point(filled=True, size=36, opacity=1).encode(shape=shape)
        return alt.layer(lines.mark_line(strokeWidth=2), points).properties(width="container", height=220)

    def beside(self, found: Agreement, stacks: Sequence[str], theirs: str) -> AltairChart:
        """Draw how many times as long as the fastest each stack takes.

        Published results are hollow, ours filled.
        """
        rows = [
            {
                "stack": each.stack,
                "published": each.published_ratio,
                "ours": each.ours_ratio,
                "shown": shown_significant(each.published_ratio),
                "shown_ours": shown_significant(each.ours_ratio),
            }
            for each in found.rows
            if each.ours_ratio is not None
        ]
        title = "times as long as the fastest (log scale)"
        scale = alt.Scale(type="log", nice=False, padding=8)
        axis = alt.Axis(format="~r", tickCount=4, grid=True)
        published = alt.X("published:Q", title=title, scale=scale, axis=axis)
        ours = alt.X("ours:Q", title=title, scale=scale, axis=axis)
        colour, shape = self._marks(stacks)
        tooltip = _tooltip(stack="stack", shown=f"{theirs}, x slower", shown_ours="this run, x slower")
        base = _base(rows).encode(y=_rows_of("stack", stacks))
        line = base.mark_rule(strokeWidth=1.5, opacity=0.6).encode(x=published, x2="ours:Q")
        marks = base.encode(color=colour, shape=shape, tooltip=tooltip)
        hollow = marks.mark_point(filled=False, size=90, strokeWidth=1.8, opacity=1).encode(x=published)
        full = marks.mark_point(filled=True, size=90, opacity=1).encode(x=ours)
        return alt.layer(line, hollow, full).properties(width="container", height=24 * max(1, len(rows)))

    def ratios(self, ratios: Sequence[RatioRow]) -> AltairChart:
        """Draw ratios with their intervals beside 1, and the growth that is allowed."""
        rows = [
            {
                "label": each.label,
                "ratio": each.ratio.estimate,
                "low": each.ratio.low if math.isfinite(each.ratio.high) else math.nan,
                "high": each.ratio.high,
                "limit": math.nan if each.limit is None else 1 + each.limit,
                "verdict": each.verdict,
                "shown": shown_ratio(each.ratio),
            }
            for each in ratios
        ]
        title = "times as long as the base"
        scale = alt.Scale(zero=False, padding=16)
        present = {each.verdict for each in ratios}
        legend = alt.Legend(
            title=None, orient="bottom", values=[each for each in VERDICTS if each in present]
        )
        colour = alt.Color("verdict:N", scale=alt.Scale(domain=list(VERDICTS)), legend=legend)
        shapes = alt.Scale(domain=list(VERDICTS), range=list(VERDICT_SHAPES))
        one = _base([{"one": 1.0}]).mark_rule(strokeWidth=1.5).encode(x=alt.X("one:Q", title=title))
        base = _base(rows).encode(
            y=_rows_of("label", [each.label for each in ratios], grid=True, labelLimit=230)
        )
        interval = base.mark_rule(strokeWidth=2.5, opacity=0.6).encode(
            x=alt.X("low:Q", title=title, scale=scale), x2="high:Q", color=colour
        )
        allowed = base.mark_tick(thickness=2, size=16, opacity=0.8).encode(x=alt.X("limit:Q", title=title))
        points = base.mark_point(filled=True, size=80, opacity=1).encode(
            x=alt.X("ratio:Q", title=title, scale=scale, axis=alt.Axis(tickCount=5)),
            color=colour,
            shape=alt.Shape("verdict:N", scale=shapes, legend=legend),
            tooltip=_tooltip(label="benchmark", verdict="verdict", shown="ratio"),
        )
        return alt.layer(one, interval, allowed, points).properties(width="container", height=22 * len(rows))

    def costs(self, record: SavedRun) -> AltairChart:
        """Draw the server's CPU time per request, by scenario."""
        stacks, scenarios, metric = record.stacks(), record.scenarios(), METRICS["cpu"]
        rows: list[dict[str, Any]] = [
            {
                "stack": each.cell.stack,
                "scenario": each.cell.scenario,
                "cpu": cpu_s * metric.quantity.factor,
                "shown": f"{metric.shown(cpu_s)} {metric.quantity.shown}",
                "rate": f"{shown_significant(1 / cpu_s)} requests per CPU-second",
            }
            for each in record.summaries
            if (cpu_s := each.value(metric.key))
        ]
        colour, shape = self._marks(stacks)
        x = alt.X(
            "cpu:Q",
            title=f"{metric.title}, {metric.quantity.shown} (log scale), less is better",
            scale=alt.Scale(type="log", nice=False, padding=16),
            axis=alt.Axis(format="~r", values=_log_ticks([row["cpu"] for row in rows])),
        )
        chart: alt.Chart = _base(rows).mark_point(filled=True, size=90, opacity=0.95)
        return chart.encode(
            y=_rows_of("scenario", scenarios, grid=True),
            x=x,
            color=colour,
            shape=shape,
            tooltip=_tooltip(scenario="scenario", stack="stack", shown=metric.title, rate="throughput"),
        ).properties(width="container", height=STEP * max(1, len(scenarios)))

    def part_times(self, profiles: Sequence[CodeProfile]) -> AltairChart:
        """Draw a bar for each stack of a scenario, made up of its parts.

        In milliseconds of CPU time per request, or in shares of the samples if that is not known for all.
        """
        in_ms = all(each.cpu_s_per_request is not None for each in profiles)
        rows = [_part_row(each, part, in_ms=in_ms) for each in profiles for part in attribute(each).parts]
        order = in_order(row["part"] for row in rows)
        for row in rows:
            row["order"] = order.index(row["part"])
        unit = "CPU ms per request" if in_ms else "share of the samples"
        number = ".3~f" if in_ms else ".1%"
        chart: alt.Chart = _base(rows).mark_bar()
        return chart.encode(
            x=alt.X("value:Q", stack="zero", axis=alt.Axis(title=unit, format="~g" if in_ms else "%")),
            y=alt.Y("stack:N", title=None, sort=[each.cell.stack for each in profiles]),
            color=_part_colour(order),
            order=alt.Order("order:Q"),
            tooltip=[
                *_tooltip(stack="stack", part="part"),
                alt.Tooltip("value:Q", title=unit, format=number),
                alt.Tooltip("low:Q", title="at least", format=number),
                alt.Tooltip("high:Q", title="at most", format=number),
                alt.Tooltip("samples:Q", format=","),
            ],
        ).properties(width="container", height=STEP * len(profiles))

    def flame(self, profile: CodeProfile) -> AltairChart:
        """Draw the calls, the outermost on top; hovering shows the function and its share."""
        calls = flame(profile)
        rows = [
            {
                "start": each.start,
                "end": each.start + each.width,
                "top": each.depth,
                "bottom": each.depth + 1,
                "label": each.label,
                "shown": _fitting(each.label, each.width * FLAME_WIDTH),
                "part": each.part,
                "share": each.width,
                "samples": each.samples,
            }
            for each in calls
        ]
        depth = max((each.depth for each in calls), default=0) + 1
        axis = alt.Axis(format="%", title="share of the samples")
        base = _base(rows).encode(
            x=alt.X("start:Q", scale=alt.Scale(domain=[0, 1], nice=False), axis=axis),
            y=alt.Y("top:Q", scale=alt.Scale(domain=[0, depth], reverse=True, nice=False), axis=None),
        )
        drawn = base.mark_rect(fillOpacity=0.5, stroke="white", strokeWidth=0.5).encode(
            x2="end:Q",
            y2="bottom:Q",
            color=_part_colour([each.part for each in calls]),
            tooltip=[
                *_tooltip(label="function", part="part"),
                alt.Tooltip("share:Q", format=".1%"),
                alt.Tooltip("samples:Q", format=","),
            ],
        )
        named = base.mark_text(align="left", dx=3, dy=FLAME_STEP / 2, fontSize=10).encode(text="shown:N")
        return alt.layer(drawn, named).properties(width="container", height=depth * FLAME_STEP)


def _log_ticks(values: Sequence[float]) -> list[float]:
    """Return numbers such as 0.5, 1, 2, 5 and 10 within ``values``.

    These are only powers of ten if the range is wide.
    """
    if not values:
        return []
    low, high = min(values) * 0.95, max(values) * 1.05
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    fine = [step * 10.0**decade for decade in decades for step in (1, 2, 5)]
    shown = [tick for tick in fine if low <= tick <= high]
    return shown if len(shown) <= 10 else [tick for tick in shown if tick in {10.0**each for each in decades}]


def _part_colour(parts: Sequence[str]) -> alt.Color:
    """Return the colour of each part, the same in every chart; the legend has those that occur, in order."""
    order = in_order(parts)
    domain = [*KNOWN_PARTS, *(part for part in order if part not in KNOWN_PARTS)]
    legend = alt.Legend(title=None, orient="bottom", values=order)
    return alt.Color("part:N", scale=alt.Scale(domain=domain), legend=legend)


def _part_row(profile: CodeProfile, time: PartTime, *, in_ms: bool) -> dict[str, Any]:
    value = time.cpu_ms if in_ms and time.cpu_ms is not None else time.share
    return {
        "stack": profile.cell.stack,
        "part": time.part,
        "value": value.estimate,
        "low": value.low,
        "high": value.high,
        "samples": time.samples,
    }


def _fitting(label: str, width_px: float) -> str:
    """Return as much of ``label`` as about fits, or nothing if that is too little to read."""
    letters = int(width_px / 5.6) - 1
    if letters < 4:
        return ""
    return label if len(label) <= letters else f"{label[: letters - 1]}…"
