"""A load in the form that k6 takes: k6's options, and the input of the script."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pytest_webbench.analysis.text import mask_path
from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.http1.wire import default_headers, encode
from pytest_webbench.model.codec import to_json
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.http import BodyRule, Exchange, JsonValue, Request
from pytest_webbench.model.load import Arrivals, Load, Schedule

__all__ = ["K6Script", "make_script"]

_LEAST_S = 1.0
"""The shortest duration that k6 accepts; the script ends shorter loads."""
_AT_ALL_S = 10 * 86_400.0
"""No load takes longer: the kernel's own waits end at 24 days."""
_MARGIN_S = 30.0
_MARGIN_A_USER_S = 0.02
"""The time k6 needs to create a user: some ms each."""
_ROOM_BYTES = 2**30
"""The memory that all users together may take to remember exchanges and successful responses."""
_MOST_DUE = 2**22
"""Due times are computed at the end, from all of them: some 200 bytes each."""
_EXACT = 2**53
"""A double represents every integer up to here."""
_REWRITTEN_BY_GO = re.compile(r'["<>\\^`{|}]|%(?![0-9A-Fa-f]{2})')
"""Characters before a question mark that Go rewrites in a path."""
_HINT = "use the native engine for this load"


@dataclass(frozen=True, slots=True, kw_only=True)
class K6Script:
    """A load for k6: its own ``options``, and ``orders`` and ``exchanges`` for the script.

    ``longest_s`` bounds the load, including all that may go wrong. In an open loop, ``due`` is the number of
    requests due, and ``period_ns`` the time between two of them.
    """

    options: dict[str, Any]
    orders: dict[str, Any]
    exchanges: list[dict[str, Any]]
    longest_s: float
    due: int = 0
    period_ns: int = 0


def make_script(load: Load, base_url: str) -> K6Script:
    """Return the script input for ``load``, of at least one request, against ``base_url``.

    Raises :class:`LoadError` if the load is invalid, or if k6 cannot send or check it as it stands.
    """
    if load.users < 1 or not load.exchanges or not load.timeout_s > 0:
        raise LoadError("A load needs at least one user, one exchange, and a timeout above 0.")
    target = Target.parse(base_url)
    exchanges = [_exchange(each, target) for each in load.exchanges]
    if load.schedule is not None:
        return _open_loop(load, load.schedule, exchanges)
    if load.amount.duration_s is None or not load.repeat:
        return _shared_iterations(load, exchanges)
    return _constant_users(load, load.amount.duration_s, exchanges)


def _shared_iterations(load: Load, exchanges: list[dict[str, Any]]) -> K6Script:
    """Return a closed loop in which users share a number of requests."""
    limit = load.most_requests
    if load.amount.duration_s is None:
        rounds = limit / load.users + 1
        longest_s = _with_margin(load, 2 * rounds * (load.timeout_s + 1))
    else:
        longest_s = _with_margin(load, load.amount.duration_s)
    scenario = {
        "executor": "shared-iterations",
        "vus": min(load.users, limit),
        "iterations": limit,
        "maxDuration": _duration(longest_s),
    }
    return K6Script(
        options=_options(scenario, longest_s),
        orders=_orders(load, limit=limit),
        exchanges=exchanges,
        longest_s=longest_s,
    )


def _constant_users(load: Load, duration_s: float, exchanges: list[dict[str, Any]]) -> K6Script:
    """Return a closed loop in which users keep sending for a duration."""
    span_s = max(_LEAST_S, duration_s)
    scenario = {"executor": "constant-vus", "vus": load.users, "duration": _duration(span_s)}
    longest_s = _with_margin(load, span_s)
    return K6Script(
        options=_options(scenario, longest_s),
        orders={**_orders(load, limit=load.most_requests), "end_ms": 1000 * span_s},
        exchanges=exchanges,
        longest_s=longest_s,
    )


def _open_loop(load: Load, schedule: Schedule, exchanges: list[dict[str, Any]]) -> K6Script:
    """Return an open loop: iterations begin when they are due, if a user is free."""
    if schedule.arrivals is not Arrivals.CONSTANT:
        raise LoadError(
            f"k6 has no {schedule.arrivals.value} arrivals: all its gaps are the same.",
            hint=f"ask for constant arrivals, or {_HINT}",
        )
    due = _due(load, schedule)
    if due > _MOST_DUE:
        raise LoadError(
            f"An open loop of k6 has {_MOST_DUE:,} requests at most; here {due:,} are due.",
            hint=f"make it shorter, lower the rate, or {_HINT}",
        )
    # k6 truncates the gap to whole nanoseconds, so the last request is due slightly early, not after the end.
    period_ns = max(1, math.floor(1e9 / schedule.rate))
    last_s = due * period_ns / 1e9
    span_s = max(_LEAST_S, last_s)
    scenario = {
        "executor": "constant-arrival-rate",
        "rate": 1,
        "timeUnit": f"{period_ns}ns",
        "duration": _duration(span_s),
        "startTime": _duration(schedule.offset_s),
        "preAllocatedVUs": load.users,
        "maxVUs": load.users,
    }
    longest_s = _with_margin(load, schedule.offset_s + span_s + load.timeout_s)
    order = {"open": True, "span_ms": 1000 * span_s, "last_ms": 1000 * last_s}
    return K6Script(
        options=_options(scenario, longest_s),
        orders={**_orders(load, limit=due), **order},
        exchanges=exchanges,
        longest_s=longest_s,
        due=due,
        period_ns=period_ns,
    )


def _with_margin(load: Load, seconds: float) -> float:
    return min(seconds + _MARGIN_S + load.users * _MARGIN_A_USER_S, _AT_ALL_S)


def _due(load: Load, schedule: Schedule) -> int:
    """Return how many requests are due before the end of ``load``, computed as in the other engines."""
    limit = load.most_requests
    if load.amount.duration_s is None:
        return limit
    end_ns = round(load.amount.duration_s * 1e9)
    count = max(0, math.ceil((load.amount.duration_s - schedule.offset_s) * schedule.rate) + 1)
    while count and round((schedule.offset_s + (count - 1) / schedule.rate) * 1e9) >= end_ns:
        count -= 1
    return min(count, limit)


def _options(scenario: dict[str, Any], longest_s: float) -> dict[str, Any]:
    """Return k6's options. The engine's wait ends before k6's own limit, which drops requests silently."""
    return {
        "scenarios": {"load": {**scenario, "gracefulStop": _duration(longest_s)}},
        "systemTags": [],
        "summaryTrendStats": ["max"],
        "maxRedirects": 0,
    }


def _orders(load: Load, *, limit: int) -> dict[str, Any]:
    duration_s = load.amount.duration_s
    return {
        "open": False,
        "limit": limit,
        "timeout_ms": 1000 * load.timeout_s,
        "deadline_ms": None if duration_s is None else 1000 * duration_s,
        "span_ms": None,
        "last_ms": None,
        "end_ms": None,
        "room": _ROOM_BYTES // load.users,
    }


def _duration(seconds: float) -> str:
    return f"{round(seconds * 1e9)}ns"


def _exchange(exchange: Exchange, target: Target) -> dict[str, Any]:
    request, answer = exchange.request, exchange.answer
    encode(request, target)  # rejects a request that cannot be sent as it stands
    expected = _expected(exchange) if answer.rule is BodyRule.JSON else ""
    text = answer.text if answer.rule is BodyRule.TEXT else ""
    return {
        "method": request.method,
        "url": _url(request, target),
        "headers": _headers(request, target),
        "body": request.body,
        "status": answer.status,
        "rule": answer.rule.value,
        "json": expected,
        "text": text,
        "generated": list(answer.generated),
        "room": 4096 + 4 * (len(expected) + len(text)),
    }


def _url(request: Request, target: Target) -> str:
    path = target.prefix + request.path
    if "#" in path or _REWRITTEN_BY_GO.search(path.partition("?")[0]):
        raise LoadError(
            f"k6 cannot send the path {mask_path(path)!r} as it stands.",
            hint=f"percent-encode it, or {_HINT}",
        )
    return f"http://{target.authority}{path}"


def _headers(request: Request, target: Target) -> dict[str, str]:
    """Return the headers of the native engine, except Host and Content-Length, which k6 adds itself."""
    headers: dict[str, str] = {}
    for name, value in request.headers:
        if name.lower() in {each.lower() for each in headers}:
            raise LoadError(f"k6 cannot send the header {name!r} twice.", hint=_HINT)
        headers[name] = value
    defaults = {name: value for name, value in default_headers(request, target) if name != "Host"}
    return headers | defaults


def _expected(exchange: Exchange) -> str:
    """Return the JSON of the expected response.

    Raises :class:`LoadError` if JavaScript reads another value.
    """
    value = to_json(exchange.answer.json)
    number = next(_unsafe_numbers(value), None)
    if number is not None:
        where = f"{exchange.request.method} {mask_path(exchange.request.path)}"
        raise LoadError(f"k6 cannot compare {number} exactly, in the response of {where}.", hint=_HINT)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _unsafe_numbers(value: JsonValue) -> Iterator[float]:
    """Yield the numbers in ``value`` that do not exist in JSON, or that JavaScript rounds."""
    if isinstance(value, dict):
        for item in value.values():
            yield from _unsafe_numbers(item)
    elif isinstance(value, list):
        for item in value:
            yield from _unsafe_numbers(item)
    elif _is_unsafe(value):
        yield value


def _is_unsafe(value: JsonValue) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    return isinstance(value, int) and abs(value) > _EXACT
