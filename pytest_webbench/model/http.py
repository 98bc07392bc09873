"""Requests, expected responses, and their effects on the database."""

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
    "SeenResponse",
]

JsonValue = Any
"""What :func:`json.loads` returns."""
Record = Mapping[str, Any]
"""One record of a dataset: column name to value, with its key under ``id``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP/1.1 request, without the server's address.

    ``path`` begins with a slash and is sent as it stands; ``body`` is text and is sent as UTF-8.
    """

    method: str = "GET"
    path: str = "/"
    body: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


class BodyRule(StrEnum):
    """How the body of a response is checked."""

    JSON = "json"
    """It must be JSON equal to :attr:`Answer.json`, except for the keys in :attr:`Answer.generated`."""
    TEXT = "text"
    """It must be :attr:`Answer.text` in UTF-8, byte for byte."""
    EMPTY = "empty"
    """It must be empty."""
    ANY = "any"
    """It is not checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The expected response.

    ``generated`` names top-level keys with values that the server generates, such as an id: they must be
    present, with any value.
    """

    status: int = 200
    rule: BodyRule = BodyRule.ANY
    json: JsonValue = None
    text: str = ""
    generated: tuple[str, ...] = ()


class EffectKind(StrEnum):
    """The kind of change that an exchange makes to the dataset."""

    INSERT = "insert"
    REPLACE = "replace"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The change that an exchange makes to the database.

    ``key`` is the key of the record that is replaced or removed; ``record`` has the columns of the inserted
    or replacing record, without the key.
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
    """A request that must be rejected, with one of ``statuses`` and a JSON object as body, never a 500."""

    request: Request
    statuses: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenResponse:
    """The response of a launch to a request of the check before measuring.

    ``request`` is its method and path in words, without secrets; ``body`` is decoded, and may be cut.
    """

    scenario: str
    request: str
    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
