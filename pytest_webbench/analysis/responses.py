"""Checks responses against their expectations, and exchanges against their types, with a sentence per fault.

A user's functions may return anything, and Python does not check the types of dataclass fields: without these
checks, a wrong type would only surface as a traceback deep inside a run. Every sentence names the field, the
value found, and what is expected.
"""

import json
import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pytest_webbench.model.errors import UsageError, printable
from pytest_webbench.model.http import (
    Answer,
    BodyRule,
    Effect,
    EffectKind,
    Exchange,
    Record,
    Refusal,
    Request,
)
from pytest_webbench.model.load import ErrorClass
from pytest_webbench.model.suite import Scenario

__all__ = [
    "Mismatch",
    "are_texts",
    "excerpt",
    "exchange_faults",
    "exchanges_of",
    "fault",
    "is_whole",
    "judge",
    "refusal_faults",
    "shown",
    "tuple_faults",
]

_Difference = tuple[str, ...]

_SHOWN = 80
"""The longest part of a value or of a body that a sentence shows, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """Why a request was not successful: the class for counting, ``why`` for a person."""

    error: ErrorClass
    why: str


def judge(answer: Answer, status: int, body: bytes) -> Mismatch | None:
    """Return what is wrong with ``status`` and ``body``, compared with ``answer``; ``None`` if nothing is.

    ``body`` comes from a server and may contain anything: this never raises because of it.
    """
    if status != answer.status:
        came = f"; the body is {excerpt(body)}" if body else ""
        return Mismatch(
            error=ErrorClass.WRONG_STATUS, why=f"the status is {status}, expected {answer.status}{came}"
        )
    match answer.rule:
        case BodyRule.ANY:
            why = ""
        case BodyRule.EMPTY:
            why = f"a body of {len(body)} bytes, expected none: {excerpt(body)}" if body else ""
        case BodyRule.TEXT:
            same = body == answer.text.encode()
            why = "" if same else f"the body is {excerpt(body)}, expected {excerpt(answer.text.encode())}"
        case BodyRule.JSON:
            why = _json_difference(answer, body)
    return Mismatch(error=ErrorClass.WRONG_BODY, why=why) if why else None


def excerpt(data: bytes, limit: int = _SHOWN) -> str:
    """Return the first ``limit`` bytes of ``data`` in quotes, safe to print on a terminal."""
    text = _printable(data[:limit].decode("utf-8", "backslashreplace"))
    return f"'{text}…'" if len(data) > limit else f"'{text}'"


def _json_difference(answer: Answer, body: bytes) -> str:
    """Return the first difference between ``body`` and the JSON of ``answer``; empty if there is none."""
    try:
        actual = _DECODER.decode(body.decode("utf-8"))
        return _sentence(_difference(*_without_generated(actual, answer)))
    except _GeneratedMissingError as exc:
        return str(exc)
    except UnicodeDecodeError as exc:
        return f"the body is not UTF-8 (byte {exc.start}): {excerpt(body)}"
    except ValueError as exc:
        return f"the body is not JSON ({_printable(str(exc))}): {excerpt(body)}"
    except RecursionError:
        return f"the body is nested too deeply: {excerpt(body)}"


class _GeneratedMissingError(Exception):
    """A key that the server should generate is missing."""


def _without_generated(actual: Any, answer: Answer) -> tuple[Any, Any]:
    """Return the actual and the expected value, without the keys that the server generates."""
    expected = answer.json
    if not answer.generated or not isinstance(actual, dict):
        return actual, expected
    for key in answer.generated:
        if key not in actual:
            raise _GeneratedMissingError(f"{_show(key)} is missing")
    generated = set(answer.generated)
    if isinstance(expected, Mapping):
        expected = {key: value for key, value in expected.items() if key not in generated}
    return {key: value for key, value in actual.items() if key not in generated}, expected


def _difference(actual: Any, expected: Any) -> _Difference:
    """Return the first difference of two JSON values, after the path to it; empty if they are equal.

    Equality is by value and strict about types: ``1`` equals ``1.0``, but ``true`` does not equal
    ``1``, and nothing equals NaN or an infinity. Items are counted from 0.
    """
    kind = type(actual)
    if kind is type(expected) and kind in _PLAIN:
        if actual == expected:
            return ()
    elif isinstance(actual, dict) and isinstance(expected, Mapping):
        return _object_difference(actual, expected)
    elif isinstance(actual, list) and isinstance(expected, (list, tuple)):
        return _array_difference(actual, expected)
    elif _same_number(actual, expected):
        return ()
    return (f"is {_show(actual)}, expected {_show(expected)}",)


def _object_difference(actual: dict[str, Any], expected: Mapping[str, Any]) -> _Difference:
    for key, wanted in expected.items():
        if key not in actual:
            return (_show(key), "is missing")
        if difference := _difference(actual[key], wanted):
            return (_show(key), *difference)
    for key, value in actual.items():
        if key not in expected:
            return (_show(key), f"is {_show(value)}, expected to be absent")
    return ()


def _array_difference(actual: list[Any], expected: Sequence[Any]) -> _Difference:
    if len(actual) != len(expected):
        return (f"has {len(actual)} items, expected {len(expected)}",)
    for index, (item, wanted) in enumerate(zip(actual, expected, strict=True)):
        if difference := _difference(item, wanted):
            return (f"item {index}", *difference)
    return ()


def _same_number(actual: Any, expected: Any) -> bool:
    """Return whether two values are equal and finite numbers: infinity minus itself is NaN."""
    if isinstance(actual, bool) or isinstance(expected, bool) or not isinstance(actual, (int, float)):
        return False
    return bool(actual == expected) and actual - actual == 0


def _sentence(difference: _Difference) -> str:
    """Return ``difference`` as a sentence; empty if there is none."""
    if not difference:
        return ""
    *path, what = difference
    return f"{': '.join(path) or 'the body'} {what}"


def _show(value: Any) -> str:
    """Return ``value`` as JSON, cut where it gets long, safe to print on a terminal."""
    text = ""
    for piece in _ENCODER.iterencode(value):
        text += piece[: _SHOWN + 1]
        if len(text) > _SHOWN:
            return _printable(text[:_SHOWN]) + "…"
    return _printable(text)


def _printable(text: str) -> str:
    """Return ``text`` with everything escaped that is invisible or would control a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not valid JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of ``pairs``; parsers disagree about two values for one key."""
    made = dict(pairs)
    if len(made) != len(pairs):
        ((key, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {_show(key)} comes more than once")
    return made


_PLAIN = {str, int, bool, type(None)}
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, default=repr)


LONGEST = 60
MOST_EXCHANGES = 1_000_000
"""More exchanges than this, or than the round has requests, come from a generator that does not end."""

Faults = Iterator[str]


def exchanges_of(
    scenario: Scenario, records: Sequence[Record], count: int | None, rng: random.Random
) -> tuple[Exchange, ...]:
    """Return the exchanges that the traffic of ``scenario`` makes for ``count`` requests.

    Raises :class:`~pytest_webbench.model.errors.UsageError` for objects that are not exchanges, and any
    exception of the function.
    """
    where, hint = f"the traffic of scenario {scenario.name}", "traffic returns a list of Exchange"
    made: Any = scenario.traffic(records, count, rng)
    if isinstance(made, str | bytes | Mapping) or not hasattr(made, "__iter__"):
        if hasattr(made, "close") and hasattr(made, "cr_frame"):
            made.close()  # otherwise Python warns of a coroutine that was never awaited
        raise UsageError(f"{where} returned {shown(made)}", hint=hint)
    most = max(MOST_EXCHANGES, count or 0)
    exchanges = tuple(islice(made, most + 1))
    if len(exchanges) > most:
        raise UsageError(
            f"{where} has no end: more than {most:,} exchanges came",
            hint="return a list that ends; its requests are repeated by themselves",
        )
    for number, exchange in enumerate(exchanges):
        for each in exchange_faults(exchange):
            raise UsageError(f"{where} made exchange {number}, but {each}", hint=hint)
        if exchange.effect is not None and not scenario.writes:
            raise UsageError(
                f"{where} made exchange {number} with an effect, but the scenario is not one that writes",
                hint="give the scenario writes=True, or leave the effect out",
            )
    return exchanges


def shown(value: Any) -> str:
    """Return ``value`` for a message: its type, and its beginning."""
    if value is None or isinstance(value, bool | int | float):
        text = repr(value) if not isinstance(value, int) or abs(value) < 10**LONGEST else "a huge number"
    elif isinstance(value, str):
        text = repr(value[: LONGEST + 1])
    elif isinstance(value, type):
        return f"the class {value.__name__}"
    else:
        article = "an" if type(value).__name__[:1].lower() in "aeiou" else "a"
        return f"{article} {type(value).__name__}"
    return printable(text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}...")


# --- fields------------------------------------------------------------------------------------------


def exchange_faults(exchange: Any) -> Faults:
    """Yield the fault of an exchange; whether its request can be sent is checked elsewhere."""
    if not isinstance(exchange, Exchange):
        yield f"it is {shown(exchange)}; wanted: an Exchange"
        return
    yield from _request_faults(exchange.request)
    yield from _answer_faults(exchange.answer)
    if exchange.effect is not None:
        yield from _effect_faults(exchange.effect)


def refusal_faults(refusal: Refusal) -> Faults:
    """Yield the fault of a request that must be rejected."""
    yield from _request_faults(refusal.request)
    statuses = refusal.statuses
    if not (
        isinstance(statuses, Sequence | range) and statuses and all(_is_status(each) for each in statuses)
    ):
        yield fault("statuses", statuses, "a tuple of numbers from 100 to 599")


def _request_faults(request: Any) -> Faults:
    if not isinstance(request, Request):
        yield fault("request", request, "a Request")
        return
    for field in ("method", "path"):
        if not isinstance(value := getattr(request, field), str):
            yield fault(f"request.{field}", value, "text")
    if not isinstance(request.body, str | bytes | bytearray | None):  # binary ones are rejected elsewhere
        yield fault("request.body", request.body, "text, or None")
    headers = request.headers
    if headers and not (isinstance(headers, tuple | list) and all(are_texts(each) for each in headers)):
        yield fault("request.headers", headers, 'pairs of text, such as (("Accept", "text/html"),)')


def _answer_faults(answer: Any) -> Faults:
    if not isinstance(answer, Answer):
        yield fault("answer", answer, "an Answer")
        return
    if not _is_status(answer.status):
        yield fault("answer.status", answer.status, "a number from 100 to 599")
    if not isinstance(answer.rule, BodyRule):
        yield fault(
            "answer.rule", answer.rule, f"one of BodyRule.{', '.join(each.name for each in BodyRule)}"
        )
    if not isinstance(answer.text, str):
        yield fault("answer.text", answer.text, "text")
    if answer.json is not None and not _is_json(answer.json):
        yield fault("answer.json", answer.json, "what JSON can hold")
    yield from tuple_faults("answer.generated", answer.generated, str, "names of keys")


def _effect_faults(effect: Any) -> Faults:
    if not isinstance(effect, Effect):
        yield fault("effect", effect, "an Effect, or None")
    elif not isinstance(effect.kind, EffectKind):
        kinds = ", ".join(each.name for each in EffectKind)
        yield fault("effect.kind", effect.kind, f"one of EffectKind.{kinds}")
    elif effect.kind is not EffectKind.INSERT and not is_whole(effect.key, -(2**63), 2**63):
        yield fault("effect.key", effect.key, "the key of the record, a whole number")
    elif not isinstance(effect.record, Mapping):
        yield fault("effect.record", effect.record, "a mapping from column to value")


def fault(field: str, value: Any, wanted: str) -> str:
    """Return the sentence: which ``field``, the ``value`` found, what is ``wanted``."""
    return f"{field} is {shown(value)}; wanted: {wanted}"


def tuple_faults(field: str, value: Any, kind: type, wanted: str) -> Faults:
    """Yield the fault of a value that must be a tuple of ``kind``, called ``wanted``."""
    if not isinstance(value, tuple | list):
        yield fault(field, value, f"a tuple of {wanted}")
        return
    for each in value:
        if not isinstance(each, kind):
            yield fault(f"an entry of {field}", each, wanted)
            return


def is_whole(value: Any, least: int, most: int) -> bool:
    """Return whether ``value`` is a whole number in these bounds."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_status(value: Any) -> bool:
    return is_whole(value, 100, 599)


def are_texts(pair: Any) -> bool:
    """Return whether ``pair`` is a pair of strings."""
    return isinstance(pair, tuple | list) and len(pair) == 2 and all(isinstance(each, str) for each in pair)


def _is_json(value: Any, depth: int = 0) -> bool:
    if type(value) in _PLAIN or isinstance(value, str | int):  # the first check runs a million times
        return True
    if isinstance(value, float):
        return math.isfinite(value)
    if depth > 200:  # deeper than any parser goes, or a list that holds itself
        return False
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_json(each, depth + 1) for key, each in value.items())
    return isinstance(value, list | tuple) and all(_is_json(each, depth + 1) for each in value)
