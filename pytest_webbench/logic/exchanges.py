"""Are the exchanges that a user's functions make what they have to be?

Every fault is a sentence: which field, what came, what is wanted. Python checks no types of dataclasses,
and a wrong one would come to light as a traceback, deep inside of a run.
"""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from pytest_webbench.errors import UsageError, printable
from pytest_webbench.values.exchange import (
    Answer,
    BodyRule,
    Effect,
    EffectKind,
    Exchange,
    Record,
    Refusal,
    Request,
)
from pytest_webbench.values.scenario import Scenario

__all__ = [
    "are_texts",
    "exchange_faults",
    "exchanges_of",
    "fault",
    "is_whole",
    "refusal_faults",
    "shown",
    "tuple_faults",
]

LONGEST = 60
MOST_EXCHANGES = 1_000_000
"""More than these, or than the round has requests, come from a generator that does not end."""

Faults = Iterator[str]


def exchanges_of(
    scenario: Scenario, records: Sequence[Record], count: int | None, rng: random.Random
) -> tuple[Exchange, ...]:
    """The exchanges that the traffic of ``scenario`` makes for ``count`` requests.

    Raises :class:`~pytest_webbench.errors.UsageError` for what are none, and whatever the function raises.
    """
    where, hint = f"the traffic of scenario {scenario.name}", "traffic returns a list of Exchange"
    made: Any = scenario.traffic(records, count, rng)
    if isinstance(made, str | bytes | Mapping) or not hasattr(made, "__iter__"):
        if hasattr(made, "close") and hasattr(made, "cr_frame"):
            made.close()  # else Python warns of a coroutine that nobody waited for
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
    """``value`` for a message: what kind of thing it is, and its beginning."""
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
    """What is wrong with an exchange; whether its request can be sent as it stands is asked elsewhere."""
    if not isinstance(exchange, Exchange):
        yield f"it is {shown(exchange)}; wanted: an Exchange"
        return
    yield from _request_faults(exchange.request)
    yield from _answer_faults(exchange.answer)
    if exchange.effect is not None:
        yield from _effect_faults(exchange.effect)


def refusal_faults(refusal: Refusal) -> Faults:
    """What is wrong with a request that must be refused."""
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
    if not isinstance(request.body, str | bytes | bytearray | None):  # binary ones are refused elsewhere
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
    """The sentence: which ``field``, what came, what is ``wanted``."""
    return f"{field} is {shown(value)}; wanted: {wanted}"


def tuple_faults(field: str, value: Any, kind: type, wanted: str) -> Faults:
    """What is wrong with what has to be a tuple of ``kind``, which ``wanted`` names."""
    if not isinstance(value, tuple | list):
        yield fault(field, value, f"a tuple of {wanted}")
        return
    for each in value:
        if not isinstance(each, kind):
            yield fault(f"an entry of {field}", each, wanted)
            return


def is_whole(value: Any, least: int, most: int) -> bool:
    """Whether ``value`` is a whole number in these bounds."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_status(value: Any) -> bool:
    return is_whole(value, 100, 599)


def are_texts(pair: Any) -> bool:
    """Whether ``pair`` is a pair of texts."""
    return isinstance(pair, tuple | list) and len(pair) == 2 and all(isinstance(each, str) for each in pair)


def _is_json(value: Any, depth: int = 0) -> bool:
    if isinstance(value, str | int | None):
        return True
    if isinstance(value, float):
        return math.isfinite(value)
    if depth > 200:  # deeper than any parser goes, or a list that holds itself
        return False
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_json(each, depth + 1) for key, each in value.items())
    return isinstance(value, list | tuple) and all(_is_json(each, depth + 1) for each in value)
