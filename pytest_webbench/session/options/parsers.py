"""Parses the text of an option; a parser raises :class:`ValueError` with an argument per fault.

The table of options names these, and pytest imports it on every run: they import what they need when called.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pytest_webbench.model.results import Threshold
    from pytest_webbench.model.settings import NamedUrl, Override, Rates

__all__ = [
    "Parser",
    "address",
    "choice",
    "number",
    "per_scenario",
    "rates",
    "size",
    "thresholds",
    "time",
    "urls",
    "words",
]

T = TypeVar("T")
Parser = Callable[[Any], Any]
"""Takes the text of an option, or the texts of one that may be repeated.

Returns ``None`` for an empty text that stands for the default.
"""
MEMORY_LEAST = 32 << 20


def number(kind: type[int] | type[float], least: float, most: float) -> Parser:
    """Return a parser of a number from ``least`` to ``most``."""

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            noun = "a whole number" if kind is int else "a number"
            raise ValueError(f"{text!r} is not {noun}") from None
        if not least <= value <= most:
            raise ValueError(f"{text} is out of range ({least:,} to {most:,})")
        return value

    return parse


def choice(*known: str) -> Parser:
    """Return a parser of one of the words ``known``."""

    def parse(text: str) -> str | None:
        if not text or text in known:
            return text or None
        from pytest_webbench.analysis.text import did_you_mean

        raise ValueError(f"{text!r} is not known{did_you_mean(text, known)} (known: {', '.join(known)})")

    return parse


def size(text: str) -> int | None:
    """Parse a number of bytes, with or without k, m or g."""
    text = text.strip().lower()
    factor = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}.get(text[-1:], 1)
    digits = text[:-1] if factor > 1 else text
    if text and (not digits.isdigit() or int(digits) * factor < MEMORY_LEAST):
        raise ValueError(f"{text!r} is not a size of at least 32m, such as 512m or 2g")
    return int(digits) * factor if text else None


def time(text: str) -> float | None:
    """Parse a number of seconds, minutes or hours, into seconds."""
    text = text.strip()
    factor = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(text[-1:], 0.0)
    try:
        return float(number(float, 0.01, 86_400)(float(text[:-1]) * factor)) if text else None
    except ValueError:
        raise ValueError(f"{text!r} is not a time such as 90s, 5m or 1h") from None


def address(text: str) -> str:
    """Parse a host and a port."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is not HOST:PORT")
    return text


# --- options that may be repeated ---------------------------------------------------------------------------


def words(texts: Iterable[str]) -> tuple[str, ...]:
    """Parse the items of a list: one per text, or several separated by commas."""
    return tuple(word for text in texts for part in text.split(",") if (word := part.strip()))


def per_scenario(parse: Parser) -> Parser:
    """Return a parser of a number for all scenarios (``5``), or for one (``hello=5``)."""

    def parse_one(word: str) -> tuple[str, Any]:
        name, separator, text = word.rpartition("=")
        return f"{name}{separator}", parse(text)

    def parse_all(texts: Iterable[str]) -> "Override[Any]":
        from pytest_webbench.model.settings import Override

        values = dict(_each(parse_one, words(texts)))
        everywhere = values.pop("", None)
        named = {name.removesuffix("="): value for name, value in values.items()}
        return Override(everywhere=everywhere, by_scenario=named)

    return parse_all


def rates(texts: Iterable[str]) -> "Rates":
    """Parse requests per second as in :func:`per_scenario`, and ``common`` or ``common:SHARE``."""
    from pytest_webbench.load.schedule import COMMON_SHARE
    from pytest_webbench.model.settings import Override, Rates

    def parse_one(word: str) -> "float | Override[float]":
        name, separator, text = word.partition(":")
        if name == "common":
            return _share(text) if separator else COMMON_SHARE
        given: Override[float] = per_scenario(number(float, 0.001, 1_000_000))([word])
        return given

    everywhere, share = None, None
    by_scenario: dict[str, float] = {}
    for each in _each(parse_one, words(texts)):
        if isinstance(each, Override):
            everywhere = everywhere if each.everywhere is None else each.everywhere
            by_scenario |= each.by_scenario
        else:
            share = each
    given = Override(everywhere=everywhere, by_scenario=by_scenario)
    return Rates(given=given, common_share=share)


def _share(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0.01 <= share <= 0.95:
        raise ValueError(f"{text!r} is not a share from 1% to 95%, such as 50%")
    return share


def thresholds(texts: Iterable[str]) -> "tuple[Threshold, ...]":
    """Parse limits such as ``p95: 10%``."""
    from pytest_webbench.analysis.gate import parse_threshold

    return _each(parse_threshold, words(texts))


def urls(texts: Iterable[str]) -> "tuple[NamedUrl, ...]":
    """Parse addresses of servers, with or without a name."""
    return _each(_url, texts)


def _url(text: str) -> "NamedUrl":
    from pytest_webbench.analysis.responses import shown
    from pytest_webbench.analysis.text import NAME_WORDS, is_name
    from pytest_webbench.load.http1.address import Target
    from pytest_webbench.model.errors import LoadError
    from pytest_webbench.model.settings import NamedUrl

    name, separator, url = text.partition("=")
    if not separator or "://" in name:
        name, url = "", text
    elif not is_name(name):
        raise ValueError(f"the name {shown(name)} cannot be used; wanted: {NAME_WORDS}")
    try:
        target = Target.parse(url)
    except LoadError as error:
        raise ValueError(f"{error.message.rstrip('.')}; {error.hint}") from None
    return NamedUrl(name=name or target.name, url=url)


def _each(parse: Callable[[str], T], texts: Iterable[str]) -> tuple[T, ...]:
    """Return the values of all ``texts``; the faults of all are raised together."""
    values: list[T] = []
    faults: list[str] = []
    for text in texts:
        try:
            values.append(parse(text))
        except ValueError as error:
            faults += error.args
    if faults:
        raise ValueError(*faults)
    return tuple(values)
