"""The results of k6: the lines of its script and its own summary, parsed without any IO.

The script writes a line for each iteration, each with at most one request. Times are whole
nanoseconds, ``sent`` and ``end`` from the start of the load:

=================================================  ====================================================
``R number sent end first whole``                  an expected response on a used connection: from sending
                                                   the request to its first byte, and to its last
``N number sent end first whole blocked``          the same on a new connection, which was made
                                                   for ``blocked`` nanoseconds after ``sent``
``F number sent end new what``                     a failure; ``new`` is 1 on a new connection, ``what`` is
                                                   JSON
``O number sent end new``                          still open at the deadline
``S number``                                       not sent: the load was over
``B origin``                                       when the first arrival of an open loop was due
=================================================  ====================================================
"""

import json
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_webbench.analysis.responses import Mismatch, excerpt
from pytest_webbench.analysis.statistics import Buckets
from pytest_webbench.analysis.text import Examples
from pytest_webbench.load.k6.faults import Loss, answer_fault, loss_fault
from pytest_webbench.load.k6.load_script import K6Script
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.http import Answer
from pytest_webbench.model.load import EXACT_MOST, MOST_UNCONFIRMED, Latencies, Load, LoadResult, Nanoseconds

__all__ = ["arrival_numbers", "read_result"]

_PIECE = 2**16
_LARGEST_OF_FOUR_BYTES = 2**32 - 1
_LATE_NS = 1_000_000


def read_result(
    load: Load,
    plan: K6Script,
    lines: Iterable[str],
    metrics: Mapping[str, Any],
    *,
    cpu_s: float = 0.0,
    processors: int = 1,
) -> LoadResult:
    """Return the result of ``load``, run as ``plan`` says, from the script's ``lines``.

    ``metrics`` are those of k6's summary. ``cpu_s`` is the CPU time that k6 took, on at most ``processors``.
    Raises :class:`LoadError` if a line cannot be read, or if lines are missing.
    """
    records = _Records(load)
    for line in lines:
        records.read(line)
    records.close(iterations=_count(metrics, "iterations"))
    elapsed_ns = _elapsed_ns(load, records)
    service_ns = records.whole_ns.times()
    result = LoadResult(
        users=load.users,
        elapsed_s=elapsed_ns / 1e9,
        sent=records.sent,
        ok=len(service_ns),
        errors=dict(records.errors),
        in_flight=records.in_flight,
        latency_ns=service_ns,
        ttfb_ns=records.first_ns.times(),
        in_flight_s=records.in_flight_ns / 1e9,
        error_s=records.error_ns / 1e9,
        unconfirmed=tuple(sorted(records.unconfirmed)),
        unnamed=records.unnamed,
        generator_cpu_s=cpu_s,
        generator_busy=min(1.0, cpu_s / (max(elapsed_ns, 1) / 1e9 * processors)),
        connections_opened=records.connections,
        bytes_received=_count(metrics, "data_received"),
        examples=records.examples.texts,
        example_counts=records.examples.counts,
        longest_in_flight_s=records.longest_in_flight_ns / 1e9,
    )
    if load.schedule is None:
        return result
    return _from_when_due(result, plan, records, _count(metrics, "dropped_iterations"))


def _from_when_due(result: LoadResult, plan: K6Script, records: "_Records", dropped: int) -> LoadResult:
    """Return ``result`` with latencies that start when the requests were due."""
    order = sorted(range(len(records.sent_ns)), key=records.sent_ns.__getitem__)
    starts_ns = [records.sent_ns[index] - records.origin_ns for index in order]
    unsent = plan.due - result.sent
    arrivals = arrival_numbers(starts_ns, plan.period_ns, min(dropped, unsent))
    late_ns = array("Q", bytes(8 * len(order)))
    for index, start_ns, arrival in zip(order, starts_ns, arrivals, strict=True):
        late_ns[index] = max(0, start_ns - arrival * plan.period_ns)
    waits = zip(records.right, records.blocked_ns, records.whole_ns.values, strict=True)
    latency_ns = _Times(array("Q", (late_ns[index] + blocked + whole for index, blocked, whole in waits)))
    return replace(
        result,
        latency_ns=latency_ns.times(),
        service_ns=result.latency_ns,
        scheduled=plan.due,
        dropped=unsent,
        lag_s=sum(late_ns) / 1e9 / max(len(late_ns), 1),
        late=sum(each > _LATE_NS for each in late_ns),
    )


def _elapsed_ns(load: Load, records: "_Records") -> int:
    """Return the time from the first send to the deadline, or to the last end if all are done."""
    if load.amount.duration_s is not None:
        all_done = records.sent == load.most_requests and not records.in_flight
        if not all_done:
            return round(load.amount.duration_s * 1e9)
    return max(0, records.last_end_ns - records.first_sent_ns)


def _count(metrics: Mapping[str, Any], name: str) -> int:
    """Return the value of a counter, which k6 omits if nothing was counted."""
    return round(metrics[name]["values"]["count"]) if name in metrics else 0


def _fitted(values: Iterable[int]) -> Nanoseconds:
    """Return ``values`` in 4 bytes each, or in 8 if any of them needs it."""
    wide = array("Q", values)
    return wide if max(wide, default=0) > _LARGEST_OF_FOUR_BYTES else array("I", wide)


class _Times:
    """Times, kept one by one; if there are too many, counted at the end or meanwhile."""

    def __init__(self, values: Nanoseconds | None = None, *, meanwhile: bool = False) -> None:
        self.values = array("Q") if values is None else values
        self._meanwhile = meanwhile
        self._buckets: Buckets | None = None

    def __len__(self) -> int:
        return len(self.values) + (0 if self._buckets is None else self._buckets.count)

    def append(self, time_ns: int) -> None:
        self.values.append(time_ns)
        if self._meanwhile and len(self.values) > (EXACT_MOST if self._buckets is None else _PIECE):
            self._count()

    def times(self) -> Latencies:
        """Return all times."""
        if self._buckets is None and len(self.values) <= EXACT_MOST:
            return Latencies(_fitted(self.values))
        if self._meanwhile:
            return self._count().times()
        buckets = Buckets()
        buckets.add(self.values)
        return buckets.times()

    def _count(self) -> Buckets:
        self._buckets = self._buckets or Buckets()
        self._buckets.add(self.values)
        self.values = array("Q")
        return self._buckets


class _Numbers:
    """The numbers of the lines, which arrive nearly in order: few are missing in between."""

    def __init__(self) -> None:
        self.found = 0
        self.largest = -1
        self._next = 0
        self._beyond: set[int] = set()

    def add(self, number: int) -> None:
        """Add the number of a line."""
        self.found += 1
        self.largest = max(self.largest, number)
        if number >= self._next:
            self._beyond.add(number)
        while self._next in self._beyond:
            self._beyond.remove(self._next)
            self._next += 1

    @property
    def different(self) -> int:
        """How many different numbers there were."""
        return self._next + len(self._beyond)


class _Records:
    """The accounts of a load, from the lines of the script.

    In an open loop every request is kept, because due times are known only at the end; ``load_script.py``
    bounds their number. In a closed loop, nothing is kept that grows with the number of requests.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._is_open = load.schedule is not None
        self._deadline_ns = round((load.amount.duration_s or 0.0) * 1e9)
        self._numbers = _Numbers()
        self._skipped: list[int] = []
        self.origin_ns = 0
        self.sent_ns = array("Q")
        """When each request of an open loop was sent."""
        self.first_sent_ns = sys.maxsize
        self.last_end_ns = 0
        self.right = array("Q")
        """For each successful response of an open loop, the index of its request in ``sent_ns``."""
        self.first_ns = _Times(meanwhile=not self._is_open)
        self.whole_ns = _Times(meanwhile=not self._is_open)
        self.blocked_ns = array("Q")
        self.errors: Counter[str] = Counter()
        self.error_ns = 0
        self.in_flight = 0
        self.in_flight_ns = 0
        self.longest_in_flight_ns = 0
        self.connections = 0
        self._changes = any(each.effect for each in load.exchanges)
        self.unconfirmed = array("Q")
        self.unnamed = 0
        self.examples = Examples()

    @property
    def sent(self) -> int:
        """How many requests the users took."""
        return len(self.whole_ns) + self.errors.total() + self.in_flight

    def read(self, line: str) -> None:
        """Read one line. Raises :class:`LoadError` if it is not one of the script's."""
        try:
            kind, *fields = line.rstrip("\n").split(" ", 5)
            match kind:
                case "R" | "N":
                    self._read_right(*fields)
                case "F":
                    self._read_failure(*fields)
                case "O":
                    self._read_open(*fields)
                case "S":
                    (number,) = fields
                    self._numbers.add(int(number))
                    self._skipped.append(int(number))
                case "B":
                    (origin,) = fields
                    self.origin_ns = int(origin)
                case _:
                    raise _unreadable(line)
        except (KeyError, TypeError, ValueError, OverflowError) as exc:
            raise _unreadable(line) from exc

    def close(self, *, iterations: int) -> None:
        """Settle the requests that were taken but not sent, and check that all ``iterations`` have a line.

        Numbers are handed out in order. One that was not sent although a later one was is counted as open at
        the deadline, since a result covers consecutive numbers from the first on.
        """
        numbers = self._numbers
        found, different = numbers.found, numbers.different
        if not found == different == iterations == numbers.largest + 1:
            raise LoadError(
                "The records of k6 are incomplete.",
                evidence=f"{iterations} iterations, {found} lines, {different} numbers, the largest "
                f"{numbers.largest if found else None}",
                hint="see whether the disk is full",
            )
        skipped = sorted(self._skipped)
        end = found
        while skipped and skipped[-1] == end - 1:
            end = skipped.pop()
        self.in_flight += len(skipped)
        self._leave_unconfirmed(*skipped)

    def _read_right(self, number: str, sent: str, end: str, first: str, whole: str) -> None:
        whole, _, blocked = whole.partition(" ")
        self.connections += bool(blocked)
        if self._is_open:
            self.right.append(len(self.sent_ns))
            self.blocked_ns.append(int(blocked or 0))
        self.first_ns.append(int(first))
        self.whole_ns.append(int(whole))
        self._sent(int(number), int(sent), int(sent) + int(blocked or 0), int(end))

    def _read_failure(self, number: str, sent: str, end: str, is_new: str, what: str) -> None:
        self._sent(int(number), int(sent), int(sent), int(end))
        exchange = self._load.exchanges[int(number) % len(self._load.exchanges)]
        fault = _fault(exchange.answer, json.loads(what), is_new=is_new == "1")
        self.connections += is_new == "1"
        self.errors[fault.error.value] += 1
        self.error_ns += int(end) - int(sent)
        self._leave_unconfirmed(int(number))
        self.examples.add(exchange.request, fault.why)

    def _read_open(self, number: str, sent: str, end: str, is_new: str) -> None:
        self._sent(int(number), int(sent), int(sent), int(end))
        self.connections += is_new == "1"
        self.in_flight += 1
        open_ns = max(0, self._deadline_ns - int(sent))
        self.in_flight_ns += open_ns
        self.longest_in_flight_ns = max(self.longest_in_flight_ns, open_ns)
        self._leave_unconfirmed(int(number))

    def _leave_unconfirmed(self, *numbers: int) -> None:
        if self._changes:
            room = MOST_UNCONFIRMED - len(self.unconfirmed)
            self.unconfirmed.extend(numbers[:room])
            self.unnamed += len(numbers[room:])

    def _sent(self, number: int, sent_ns: int, sending_ns: int, end_ns: int) -> None:
        self._numbers.add(number)
        if self._is_open:
            self.sent_ns.append(sent_ns)
        self.first_sent_ns = min(self.first_sent_ns, sending_ns)
        self.last_end_ns = max(self.last_end_ns, end_ns)


def _unreadable(line: str) -> LoadError:
    return LoadError(
        "k6 wrote a line that cannot be read.", evidence=excerpt(line.encode("utf-8", "replace"))
    )


def _fault(answer: Answer, what: Mapping[str, Any], *, is_new: bool) -> Mismatch:
    """Return the fault that the JSON of a failure describes."""
    if "status" in what:
        return answer_fault(answer, what["status"], what.get("body"))
    loss = Loss(
        code=what["code"],
        error=what["error"],
        connected=what["connected"],
        begun=what["begun"],
        is_new=is_new,
    )
    return loss_fault(loss)


def arrival_numbers(starts_ns: Sequence[int], period_ns: int, dropped: int) -> list[int]:
    """Return the arrival that each start belongs to: 0, due at 0, or 1, due at ``period_ns``, and so on.

    ``starts_ns`` are in order. k6 drops an arrival if no user is free, and starts the others in order, but
    does not report which ones it ``dropped``. If none, every arrival is known. Otherwise each start is
    assigned the latest arrival possible, so that no request is taken for later than it was.
    """
    numbers = [0] * len(starts_ns)
    following = len(starts_ns) + dropped
    for index in range(len(starts_ns) - 1, -1, -1):
        # An arrival starts no earlier than it is due, except for the microseconds that reading a clock takes.
        latest = max(index, starts_ns[index] // period_ns)
        following = numbers[index] = min(latest, index + dropped, following - 1)
    return numbers
