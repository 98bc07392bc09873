"""The results as text tables."""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable

from engine_bench.comparing import Round, Spread, ratios
from engine_bench.generators import Generator, Outcome
from engine_bench.memory import Memory

__all__ = ["Table", "comparison_table", "memory_table", "stack_table"]

BASE = "native"
TERMINAL_WIDTH = 200
MEGABYTE = 1e6
SATURATED = 0.9
"""The share of its core above which a server may be the limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A text table; the columns in ``left`` are left-aligned, the others right-aligned.

    ``notes`` are sentences below it.
    """

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """Return the table in Markdown."""
        rule = ["---" if header in self.left else "---:" for header in self.headers]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in (self.headers, rule, *self.rows))

    def terminal(self) -> str:
        """Return the table in columns, each as wide as necessary."""
        table = RichTable(box=SIMPLE_HEAD)
        for header in self.headers:
            table.add_column(header, justify="left" if header in self.left else "right", no_wrap=True)
        for cells in self.rows:
            table.add_row(*cells)
        console = Console(file=io.StringIO(), width=TERMINAL_WIDTH, highlight=False, markup=False)
        with console.capture() as captured:
            console.print(table)
        return "\n".join(line.rstrip() for line in captured.get().splitlines())


def comparison_table(generators: Sequence[Generator], measured: Mapping[str, Sequence[Round]]) -> Table:
    """Return rates, ratios, and how busy both sides were.

    Where only the generator was busy, at 1.00, its rate is its maximum; where the server was too,
    it might have sent more.
    """
    return Table(
        headers=(
            "generator",
            "version",
            "requests/s",
            "native is ... times",
            "CPU of generator",
            "CPU us/request",
            "CPU of server",
            "what it checks",
        ),
        left=("generator", "version", "what it checks"),
        rows=tuple(
            (
                each.name,
                each.version(),
                _rate(measured[each.name]),
                _ratio(measured, each.name, _rate_of, "{:.2f}"),
                *_busy(measured[each.name]),
                each.checks,
            )
            for each in generators
        ),
        notes=_limits(measured),
    )


def stack_table(generators: Sequence[Generator], measured: Mapping[str, Sequence[Round]]) -> Table:
    """Return rates and median latencies of the same server, as measured by each generator."""
    return Table(
        headers=(
            "generator",
            "version",
            "requests/s",
            "native is ... times",
            "p50 in ms",
            "native is ... times that",
            "CPU of generator",
            "CPU us/request",
            "CPU of server",
        ),
        left=("generator", "version"),
        rows=tuple(
            (
                each.name,
                each.version(),
                _rate(measured[each.name]),
                _ratio(measured, each.name, _rate_of, "{:.3f}"),
                _spread([made.outcome.p50_ms for made in measured[each.name]], "{:.3f}"),
                _ratio(measured, each.name, _p50_of, "{:.3f}"),
                *_busy(measured[each.name]),
            )
            for each in generators
        ),
    )


def memory_table(memory: Memory) -> Table:
    """Return the memory that the native engine used; megabytes of a million bytes."""
    return Table(
        headers=(
            "requests",
            "requests/s",
            "generator before",
            "generator, peak",
            "bytes per request",
            "parent before",
            "parent, peak",
            "both peaks",
        ),
        rows=(
            (
                f"{memory.requests:,}",
                f"{memory.rate:,.0f}",
                _megabytes(memory.generator_before_bytes),
                _megabytes(memory.generator_peak_bytes),
                f"{memory.bytes_per_request:.1f}",
                _megabytes(memory.parent_before_bytes),
                _megabytes(memory.parent_peak_bytes),
                _megabytes(memory.generator_peak_bytes + memory.parent_peak_bytes),
            ),
        ),
    )


def _rate(rounds: Sequence[Round]) -> str:
    return _spread([made.outcome.rate for made in rounds], "{:,.0f}")


def _rate_of(outcome: Outcome) -> float:
    return outcome.rate


def _p50_of(outcome: Outcome) -> float:
    return outcome.p50_ms


def _ratio(
    measured: Mapping[str, Sequence[Round]], name: str, figure: Callable[[Outcome], float], form: str
) -> str:
    if name == BASE or BASE not in measured:
        return ""
    return _show(ratios(measured, BASE, name, figure), form)


def _busy(rounds: Sequence[Round]) -> tuple[str, str, str]:
    """Return the generator's share of a core, its microseconds per request, and the server's share."""
    busy = median(made.outcome.busy for made in rounds)
    each_us = median(1e6 * made.outcome.busy / made.outcome.rate for made in rounds)
    return f"{busy:.2f}", f"{each_us:.1f}", f"{_server_busy(rounds):.2f}"


def _server_busy(rounds: Sequence[Round]) -> float:
    return median(made.server_busy for made in rounds)


def _limits(measured: Mapping[str, Sequence[Round]]) -> tuple[str, ...]:
    """Return a warning about the generators whose rate is limited by the server."""
    names = [name for name, rounds in measured.items() if _server_busy(rounds) > SATURATED]
    if not names:
        return ()
    return (f"The server was at its own limit under {', '.join(names)}: they may be able to send more.",)


def _spread(values: Sequence[float], form: str) -> str:
    return _show(Spread.of(values), form)


def _show(spread: Spread, form: str) -> str:
    """Return the spread as text; empty where it is not known."""
    if math.isnan(spread.median):
        return ""
    middle, low, high = (form.format(value) for value in (spread.median, spread.low, spread.high))
    return f"{middle} [{low}, {high}]"


def _megabytes(size: int) -> str:
    return f"{size / MEGABYTE:,.0f} MB"
