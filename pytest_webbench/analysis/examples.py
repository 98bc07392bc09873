"""What is shown of failures: the first that differ, and how often each of them came."""

from collections.abc import Iterable

from pytest_webbench.analysis.masking import mask_path
from pytest_webbench.model.http import Request
from pytest_webbench.model.load import LoadResult

__all__ = ["Examples", "join_examples", "shown_examples"]

_MOST = 3


class Examples:
    """The first different failures, counted; later ones of other kinds are not kept."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, request: Request, why: str) -> None:
        """``request`` failed, for the reason in ``why``."""
        self.count(f"{request.method} {mask_path(request.path)}: {why}", 1)

    def count(self, text: str, times: int) -> None:
        """``text`` came so many ``times``."""
        if text in self._counts:
            self._counts[text] += times
        elif len(self._counts) < _MOST:
            self._counts[text] = times

    def clear(self) -> None:
        """Begin again."""
        self._counts.clear()

    @property
    def texts(self) -> tuple[str, ...]:
        """Each once, the first one first."""
        return tuple(self._counts)

    @property
    def counts(self) -> tuple[int, ...]:
        """How often each of the texts came."""
        return tuple(self._counts.values())


def join_examples(results: Iterable[LoadResult]) -> Examples:
    """Those of all ``results`` together."""
    joined = Examples()
    for result in results:
        # An engine from elsewhere may give the texts alone.
        counts = result.example_counts or (1,) * len(result.examples)
        for text, times in zip(result.examples, counts, strict=True):
            joined.count(text, times)
    return joined


def shown_examples(results: Iterable[LoadResult]) -> tuple[str, ...]:
    """Those of all ``results`` together, in words."""
    joined = join_examples(results)
    return tuple(
        text if times == 1 else f"{text} ({times:,} times)"
        for text, times in zip(joined.texts, joined.counts, strict=True)
    )
