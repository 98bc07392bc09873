"""Checks of what clients send."""

import re
from typing import Any

from flask import abort

UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def text_fault(value: object, shortest: int, longest: int) -> str | None:
    if not isinstance(value, str):
        return "must be a string"
    if not shortest <= len(value) <= longest:
        return f"must have {shortest} to {longest} characters"
    if UNSTORABLE.search(value):
        return "must not contain NUL or surrogate characters"
    return None


def number_fault(value: object, largest: float, *, whole: bool = False) -> str | None:
    # A bool is an int in Python, but not in JSON.
    if not isinstance(value, int | float) or isinstance(value, bool):
        return "must be a number"
    if not 0 <= value <= largest:
        return f"must be between 0 and {largest:.0f}"
    if whole and value != int(value):
        return "must be an integer"
    return None


def item_fields(body: object) -> dict[str, Any]:
    """Return the fields of an item, or answer 422 with what is wrong with each."""
    if not isinstance(body, dict):
        abort(422, description="The body must be a JSON object")
    faults = {
        "name": text_fault(body.get("name"), 1, 100),
        "description": text_fault(body.get("description"), 0, 1000),
        "price": number_fault(body.get("price"), 1e9),
        "quantity": number_fault(body.get("quantity"), 2**31 - 1, whole=True),
    }
    if any(faults.values()):
        abort(422, description={field: fault for field, fault in faults.items() if fault})
    return {
        "name": body["name"],
        "description": body["description"],
        "price": float(body["price"]),
        "quantity": int(body["quantity"]),
    }
