"""A chart of instructions against CPU time."""

from collections.abc import Sequence
from pathlib import Path

import altair as alt

from counts_bench.correlation import Cost

__all__ = ["save_chart"]


def save_chart(costs: Sequence[Cost], file: Path) -> None:
    """Draw a point for each of ``costs``, as SVG or PNG, depending on the suffix of ``file``."""
    points = [
        {
            "scenario": each.cell.scenario,
            "stack": each.cell.stack,
            "instructions": each.instructions / 1e6,
            "cpu": each.cpu_s * 1000,
        }
        for each in costs
    ]
    chart = (
        alt.Chart(alt.InlineData(values=points))
        .mark_point(filled=True, size=60)
        .encode(
            x=alt.X("instructions:Q", title="million instructions per request (counted)", scale=_scale()),
            y=alt.Y("cpu:Q", title="CPU time per request in ms (measured)", scale=_scale()),
            color=alt.Color("stack:N", title="stack"),
            shape=alt.Shape("scenario:N", title="scenario"),
        )
        .properties(width=480, height=360, background="white")
    )
    chart.save(str(file))


def _scale() -> alt.Scale:
    return alt.Scale(type="log", nice=False, padding=12)
