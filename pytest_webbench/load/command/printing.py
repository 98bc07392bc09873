"""The summary of one load as text and as JSON."""

import json
from collections.abc import Iterator
from dataclasses import asdict, fields
from io import StringIO

from rich.console import Console, RenderableType
from rich.table import Column, Table
from rich.text import Text

from pytest_webbench.analysis.summary import LoadSummary, Times
from pytest_webbench.analysis.text import shown_examples
from pytest_webbench.model.errors import printable
from pytest_webbench.model.http import Answer, BodyRule

__all__ = ["as_json", "as_text"]

_WIDE = 1000
"""Wide enough that no line is wrapped."""
_BEGIN = {
    "closed loop": "from sending a request to the last byte of its response",
    "open loop": "from when a request was due to the last byte of its response",
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


def as_json(summary: LoadSummary) -> str:
    """Return one JSON object; times in seconds, ``null`` where there is no value."""
    load, result, schedule = summary.load, summary.result, summary.load.schedule
    values = {
        "model": summary.model,
        "rate": schedule and schedule.rate,
        "arrivals": schedule and schedule.arrivals,
        "seed": schedule and schedule.seed,
        "users": load.users,
        "generators": summary.generators,
        "requests_sent": result.sent,
        "requests_ok": result.ok,
        "errors": dict(result.errors),
        "in_flight": result.in_flight,
        "scheduled": schedule and result.scheduled,
        "dropped": schedule and result.dropped,
        "elapsed_s": result.elapsed_s,
        "requests_per_s": summary.requests_per_s,
        "percentile_error": result.latency_ns.relative_error,
        "draws_per_s": [draw.per_s for draw in result.draws],
        **_times("", summary.latency),
        **_times("service_", summary.service),
        "lag_s": schedule and result.lag_s,
        "late": schedule and result.late,
        "bytes_received": result.bytes_received,
        "bytes_per_s": summary.bytes_per_s,
        "connections_opened": result.connections_opened,
        "generator_cpu_s": result.generator_cpu_s,
        "generator_cpu_fraction": result.generator_busy,
        "examples": shown_examples([result]),
        "warnings": summary.warnings,
    }
    return json.dumps(values, indent=2, allow_nan=False)


def _times(prefix: str, times: Times | None) -> dict[str, float | None]:
    known = {} if times is None else asdict(times)
    return {prefix + field.name: known.get(field.name) for field in fields(Times)}


def as_text(summary: LoadSummary, *, url: str) -> str:
    """Return the text for a person: the requests sent to ``url``, and their outcome."""
    output = StringIO()
    console = Console(file=output, width=_WIDE, color_system=None, force_terminal=False)
    for part in _parts(summary, url):
        console.print(Text(printable(part)) if isinstance(part, str) else part, soft_wrap=True)
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines())


def _parts(summary: LoadSummary, url: str) -> Iterator[RenderableType]:
    load, result, model = summary.load, summary.result, summary.model
    (exchange,) = load.exchanges
    loop = "closed loop" if load.schedule is None else f"open loop at {load.schedule}"
    users, generators = _counted(load.users, "connection"), _counted(summary.generators, "generator")
    yield f"{exchange.request.method} {url}"
    yield f"{loop}, {users}, for {load.amount}, {generators}"
    yield f"expected: {_expected(exchange.answer)}"
    yield ""
    yield _rows(
        ("requests sent", f"{result.sent:,}"),
        ("  as expected", f"{result.ok:,}"),
        *((f"  {name}", f"{count:,}") for name, count in sorted(result.errors.items())),
        ("  in flight at the end", f"{result.in_flight:,}"),
    )
    for example in shown_examples([result]):
        yield f"  for example {example}"
    yield ""
    rates = [draw.per_s for draw in result.draws]
    several = len(rates) > 1
    yield _rows(
        ("elapsed", f"{result.elapsed_s:,.3f} s"),
        (f"requests, {model}", _number(summary.requests_per_s, "/s")),
        (f"received, {model}", _bytes_rate(summary.bytes_per_s)),
        ("connections opened", f"{result.connections_opened:,}"),
        *[(f"  the slowest of {len(rates)} sets", _number(min(rates), "/s"))] * several,
        *[("  the fastest", _number(max(rates), "/s"))] * several,
        ("generator", f"{result.generator_busy:.0%} of a core"),
    )
    if load.schedule is not None:
        yield _rows(
            ("due, open loop", f"{result.scheduled:,}"),
            ("  dropped: not sent before the end", f"{result.dropped:,}"),
            ("  noticed late, by more than 1 ms", f"{result.late:,}"),
            ("  lag of the generator, mean", f"{result.lag_s * 1000:,.3f} ms"),
        )
    yield ""
    yield from _latency(summary)
    yield from (f"warning: {warning}" for warning in summary.warnings)


def _latency(summary: LoadSummary) -> Iterator[RenderableType]:
    """Yield the response times of successful responses, in ms."""
    if summary.latency is None:
        yield "no response was as expected, so there is no latency"
        return
    table = Table(Column("ms", min_width=28), box=None, padding=0, header_style="")
    for name in _COLUMNS.values():
        table.add_column(name, justify="right", min_width=12)
    for name, times in (("latency", summary.latency), ("service time", summary.service)):
        if times is not None:
            values = (f"{getattr(times, field) * 1000:,.3f}" for field in _COLUMNS)
            table.add_row(f"{name}, {summary.model}", *values)
    yield table
    yield f"latency: {_BEGIN[summary.model]}"
    if not summary.result.latency_ns.exact:
        error = summary.result.latency_ns.relative_error
        yield f"percentiles: within {error:.2%}, since there are too many times to keep each"
    if summary.service is not None:
        yield f"service time: {_BEGIN['closed loop']}"


def _rows(*rows: tuple[str, str]) -> Table:
    """Return an empty table with a column of names and one of values."""
    table = Table.grid(Column(min_width=34), Column(min_width=14, justify="right"))
    for name, value in rows:
        table.add_row(Text(printable(name)), value)
    return table


def _expected(answer: Answer) -> str:
    body = " and the given body, byte for byte" if answer.rule is BodyRule.TEXT else ", any body"
    return f"status {answer.status}{body}"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' if count != 1 else ''}"


def _number(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:,.1f} {unit}"


def _bytes_rate(value: float | None) -> str:
    for size, unit in _BYTE_UNITS:
        if value is not None and value >= size:
            return _number(value / size, unit)
    return _number(value, "B/s")
