"""JSON as RFC 8259 has it: Python's parser also takes NaN, Infinity, and numbers that overflow to it."""

import math
from typing import Any, NoReturn

from flask.json.provider import DefaultJSONProvider


def reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def finite_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is out of range")
    return number


class StrictJSONProvider(DefaultJSONProvider):
    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return super().loads(s, parse_constant=reject_constant, parse_float=finite_float, **kwargs)
