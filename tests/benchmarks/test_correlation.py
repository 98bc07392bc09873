"""How counts and CPU time of benchmarks go together."""

import math
import random
from pathlib import Path

import pytest
from counts_bench.chart import save_chart
from counts_bench.correlation import Cost, correlate
from counts_bench.report import correlation_table, costs_table

from pytest_webbench.model.plan import Cell


def costs(*pairs: tuple[float, float]) -> list[Cost]:
    return [
        Cost(cell=Cell(scenario=f"s{number}", stack="a"), instructions=instructions, cpu_s=cpu_s)
        for number, (instructions, cpu_s) in enumerate(pairs)
    ]


def test_time_in_proportion_to_instructions_is_a_correlation_of_one() -> None:
    found = correlate(costs(*((1e6 * each, 1e-3 * each) for each in range(1, 8))))
    assert found.spearman.value == pytest.approx(1)
    assert found.pearson.value == pytest.approx(1)
    assert found.slope == pytest.approx(1)
    assert found.scatter == pytest.approx(1)


def test_intervals_hold_the_coefficient_and_are_those_of_the_books() -> None:
    chance = random.Random(1)
    logs = [(each / 5, each / 5 + chance.gauss(0, 0.4)) for each in range(35)]
    found = correlate(costs(*((1e6 * math.exp(x), 1e-3 * math.exp(y)) for x, y in logs)))
    # Fisher's, with an error of 1 / sqrt(n - 3)
    middle = math.atanh(found.pearson.value)
    assert math.atanh(found.pearson.low) == pytest.approx(middle - 1.959964 / math.sqrt(32))
    assert math.atanh(found.pearson.high) == pytest.approx(middle + 1.959964 / math.sqrt(32))
    assert found.spearman.low < found.spearman.value < found.spearman.high < 1
    assert 1.3 < found.scatter < 1.7  # exp(0.4) is 1.49


def test_what_deviates_most_comes_first_whichever_way() -> None:
    table = costs_table(costs((1e6, 1e-3), (1e6, 1e-3), (1e6, 0.2e-3), (1e6, 2e-3), (1e6, 1e-3)))
    assert [row[0] for row in table.rows[:2]] == ["s2[a]", "s3[a]"]
    assert float(table.rows[0][-1]) < 1 < float(table.rows[1][-1])


def test_tables_and_chart_can_be_written(tmp_path: Path) -> None:
    made = costs(*((1e6 * each, 1e-3 * each) for each in range(1, 8)))
    assert "| Spearman's, of the ranks | 1.000 |" in correlation_table(correlate(made)).markdown()
    save_chart(made, tmp_path / "chart.svg")
    assert "million instructions" in (tmp_path / "chart.svg").read_text()
