"""What is requested, what response is expected, and what it changes in the database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = [
    "Answer",
    "BodyRule",
    "Effect",
    "EffectKind",
    "Exchange",
    "JsonValue",
    "Record",
    "Refusal",
    "Request",
]

JsonValue = Any
"""What :func:`json.loads` returns."""
Record = Mapping[str, Any]
"""One record of a dataset: column name to value, with its key under ``id``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP/1.1 request, without the address it goes to.

    ``path`` begins with a slash and is sent as it stands; ``body`` is text and is sent as UTF-8.
    """

    method: str = "GET"
    path: str = "/"
    body: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


class BodyRule(StrEnum):
    """How the body of an answer is judged."""

    JSON = "json"
    """It is JSON and equals :attr:`Answer.json`, but for the keys in :attr:`Answer.generated`."""
    TEXT = "text"
    """It is :attr:`Answer.text` in UTF-8, byte for byte."""
    EMPTY = "empty"
    """There is none."""
    ANY = "any"
    """It is not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The expected response.

    ``generated`` names top-level keys that the server makes up, such as an id: they must be there,
    with whatever value.
    """

    status: int = 200
    rule: BodyRule = BodyRule.ANY
    json: JsonValue = None
    text: str = ""
    generated: tuple[str, ...] = ()


class EffectKind(StrEnum):
    """What an exchange does to the dataset."""

    INSERT = "insert"
    REPLACE = "replace"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What the database must hold once the exchange is done.

    ``key`` is the key of the record that is replaced or removed; ``record`` the columns, without the
    key, that are inserted or put in its place.
    """

    kind: EffectKind
    key: int | None = None
    record: Record = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request, the expected response, and its effect on the database (``None``: it only reads)."""

    request: Request
    answer: Answer
    effect: Effect | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A request that must be refused: one of ``statuses``, with a JSON object as body, never a 500."""

    request: Request
    statuses: tuple[int, ...]
