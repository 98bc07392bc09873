"""A load in several draws: each a part of it, on connections of its own."""

from pytest_webbench.logic.draws import join_draws, part_of
from pytest_webbench.values.load import Load, LoadResult

__all__ = ["Drawing"]


class Drawing:
    """Gives out the parts of ``load`` and puts their results together."""

    def __init__(self, load: Load, draws: int) -> None:
        self._load = load
        self._draws = draws
        self._results: list[LoadResult] = []

    def next(self) -> Load | None:
        """The next part; ``None`` if there is none."""
        draw = len(self._results)
        if draw == 0 and self._draws == 1:
            return self._load
        if draw == self._draws:
            return None
        sent = sum(result.sent for result in self._results)
        return part_of(self._load, draw=draw, draws=self._draws, sent=sent)

    def add(self, result: LoadResult) -> None:
        """What came of the part that was given out."""
        self._results.append(result)

    def whole(self) -> LoadResult:
        """What came of all of it."""
        return join_draws(self._results)
