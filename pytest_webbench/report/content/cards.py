"""The rankings on the first screen."""

from collections.abc import Sequence

from pytest_webbench.analysis.summary import rank
from pytest_webbench.model.results import CellSummary
from pytest_webbench.model.saved_run import RunRecord
from pytest_webbench.model.suite import Unit
from pytest_webbench.report.content.numbers import shown_number
from pytest_webbench.report.content.tables import clean, describe_load, rank_words, scenario_groups
from pytest_webbench.report.content.view import Card, CardRow

__all__ = ["make_cards", "part_name"]


def part_name(number: int) -> str:
    """The name of the part with the figures of the scenario of that number, for links."""
    return f"scenario-{number + 1}"


def make_cards(record: RunRecord) -> tuple[Card, ...]:
    """A card for each scenario and load."""
    return tuple(
        _card(record, group, number) for number, group in enumerate(scenario_groups(_ordered(record)))
    )


def _ordered(record: RunRecord) -> list[CellSummary]:
    return [each for name in record.scenarios() for each in record.cells_of(name)]


def _card(record: RunRecord, group: Sequence[CellSummary], number: int) -> Card:
    first = group[0]
    about = record.about.scenarios.get(first.cell.scenario)
    standings = rank(group)
    rows = tuple(
        CardRow(
            stack=clean(standing.summary.cell.stack),
            rank=words,
            value=shown_number(standing.summary.result.estimate, first.unit),
            slower="invalid" if standing.ratio is None else f"{standing.ratio.estimate:.2f}",
            share=None if standing.ratio is None else 100 / standing.ratio.estimate,
        )
        for words, standing in zip(rank_words(standings), standings, strict=True)
    )
    return Card(
        scenario=clean(first.cell.scenario),
        title=clean(about.title if about else ""),
        load=describe_load(first),
        unit=f"{first.unit.value}, {'more' if first.unit is Unit.RATE else 'less'} is better",
        target=part_name(number),
        rows=rows,
    )
