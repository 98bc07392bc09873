"""The figures of one load as text and as JSON."""

import json
from collections.abc import Iterator
from dataclasses import asdict, fields

from pytest_webbench.analysis.summary import Figures, Times
from pytest_webbench.analysis.text import shown_examples
from pytest_webbench.model.errors import printable
from pytest_webbench.model.http import Answer, BodyRule
from pytest_webbench.model.load import Load

__all__ = ["as_json", "as_text"]

_WIDTH = 34
_BEGIN = {
    "closed loop": "from the sending of a request to the last byte of its answer",
    "open loop": "from when a request was due to the last byte of its answer",
}
_COLUMNS = {
    "mean_s": "mean",
    "p50_s": "p50",
    "p90_s": "p90",
    "p99_s": "p99",
    "p999_s": "p99.9",
    "max_s": "max",
}
_BYTE_UNITS = ((1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"))


def as_json(figures: Figures) -> str:
    """One JSON object; times in seconds, ``null`` where there is no value."""
    load, result, schedule = figures.load, figures.result, figures.load.schedule
    values = {
        "model": figures.model,
        "rate": schedule and schedule.rate,
        "arrivals": schedule and schedule.arrivals,
        "seed": schedule and schedule.seed,
        "users": load.users,
        "generators": figures.generators,
        "requests_sent": result.sent,
        "requests_ok": result.ok,
        "errors": dict(result.errors),
        "in_flight": result.in_flight,
        "scheduled": schedule and result.scheduled,
        "dropped": schedule and result.dropped,
        "elapsed_s": result.elapsed_s,
        "requests_per_s": figures.requests_per_s,
        "percentile_error": result.latency_ns.relative_error,
        "draws_per_s": [draw.per_s for draw in result.draws],
        **_times("", figures.latency),
        **_times("service_", figures.service),
        "lag_s": schedule and result.lag_s,
        "late": schedule and result.late,
        "bytes_received": result.bytes_received,
        "bytes_per_s": figures.bytes_per_s,
        "connections_opened": result.connections_opened,
        "generator_cpu_s": result.generator_cpu_s,
        "generator_cpu_fraction": result.generator_busy,
        "examples": shown_examples([result]),
        "warnings": figures.warnings,
    }
    return json.dumps(values, indent=2, allow_nan=False)


def _times(prefix: str, times: Times | None) -> dict[str, float | None]:
    known = {} if times is None else asdict(times)
    return {prefix + field.name: known.get(field.name) for field in fields(Times)}


def as_text(figures: Figures, *, url: str) -> str:
    """What a person reads: what was sent to ``url``, and what came of it."""
    load, model = figures.load, figures.model
    (exchange,) = load.exchanges
    lines = [
        f"{exchange.request.method} {url}",
        f"{_loop(load)}, {_counted(load.users, 'connection')}, for {load.amount}, "
        f"{_counted(figures.generators, 'generator')}",
        f"right: {_right(exchange.answer)}",
        "",
        *_requests(figures),
        "",
        _row("elapsed", f"{figures.result.elapsed_s:,.3f} s"),
        _row(f"right answers, {model}", _number(figures.requests_per_s, "/s")),
        _row(f"received, {model}", _bytes_rate(figures.bytes_per_s)),
        _row("connections opened", f"{figures.result.connections_opened:,}"),
        *_draws(figures),
        _row("generator", f"{figures.result.generator_busy:.0%} of a core"),
        *_schedule(figures),
        "",
        *_table(figures),
        *(f"warning: {warning}" for warning in figures.warnings),
    ]
    return "\n".join(map(printable, lines))


def _loop(load: Load) -> str:
    return "closed loop" if load.schedule is None else f"open loop at {load.schedule}"


def _right(answer: Answer) -> str:
    body = " and the given body, byte for byte" if answer.rule is BodyRule.TEXT else ", any body"
    return f"status {answer.status}{body}"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' if count != 1 else ''}"


def _row(name: str, value: str) -> str:
    return f"{name:<{_WIDTH}}{value:>14}"


def _number(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:,.1f} {unit}"


def _bytes_rate(value: float | None) -> str:
    for size, unit in _BYTE_UNITS:
        if value is not None and value >= size:
            return _number(value / size, unit)
    return _number(value, "B/s")


def _requests(figures: Figures) -> Iterator[str]:
    """Where all requests went; their sum is what was sent."""
    result = figures.result
    yield _row("requests sent", f"{result.sent:,}")
    yield _row("  right", f"{result.ok:,}")
    for name, count in sorted(result.errors.items()):
        yield _row(f"  {name}", f"{count:,}")
    yield _row("  in flight at the end", f"{result.in_flight:,}")
    for example in shown_examples([result]):
        yield f"  for example {example}"


def _draws(figures: Figures) -> Iterator[str]:
    """What each set of connections gave, if there were several."""
    rates = [draw.per_s for draw in figures.result.draws]
    if len(rates) > 1:
        yield _row(f"  the slowest of {len(rates)} sets", _number(min(rates), "/s"))
        yield _row("  the fastest", _number(max(rates), "/s"))


def _schedule(figures: Figures) -> Iterator[str]:
    """How the generator and the connections kept to the schedule of an open loop."""
    result = figures.result
    if figures.load.schedule is not None:
        yield _row("due, open loop", f"{result.scheduled:,}")
        yield _row("  dropped: not sent before the end", f"{result.dropped:,}")
        yield _row("  noticed late, by more than 1 ms", f"{result.late:,}")
        yield _row("  lag of the generator, mean", f"{result.lag_s * 1000:,.3f} ms")


def _table(figures: Figures) -> Iterator[str]:
    """The times of right answers, in ms."""
    model = figures.model
    if figures.latency is None:
        yield "no right answer, so no latency"
        return
    yield f"{'ms':<28}" + "".join(f"{name:>12}" for name in _COLUMNS.values())
    yield _line(f"latency, {model}", figures.latency)
    if figures.service is not None:
        yield _line(f"service time, {model}", figures.service)
    yield f"latency: {_BEGIN[model]}"
    if not figures.result.latency_ns.exact:
        error = figures.result.latency_ns.relative_error
        yield f"percentiles: within {error:.2%}, for there are too many times to keep each"
    if figures.service is not None:
        yield f"service time: {_BEGIN['closed loop']}"


def _line(name: str, times: Times) -> str:
    return f"{name:<28}" + "".join(f"{getattr(times, field) * 1000:>12,.3f}" for field in _COLUMNS)
