"""The check before timing: does the stack carry out every operation of its contract as expected?"""

import json
import random
import re
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_webbench.analysis.database_state import records_by_key, state_faults
from pytest_webbench.analysis.responses import exchanges_of
from pytest_webbench.analysis.text import mask_body, mask_path
from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.http1.coding import CodingError
from pytest_webbench.load.http1.exchange import NoResponseError, cause_of_silence, exchange
from pytest_webbench.load.http1.judging import bytes_to_keep, judge_whole
from pytest_webbench.load.http1.response import Response
from pytest_webbench.load.http1.wire import MAX_RESPONSE, encode
from pytest_webbench.model.errors import ContractError, LoadError, StackDiedError, UsageError
from pytest_webbench.model.http import Exchange, JsonValue, Record, Refusal, Request, SeenResponse
from pytest_webbench.model.stack import RunningStack
from pytest_webbench.model.suite import Scenario, Suite

__all__ = ["check_stack", "exchanges_of_check", "observe_records"]

EXCHANGES_PER_SCENARIO = 3
SEEN_BYTES = 2**20
"""How many bytes of a response are compared with that of another launch."""
REFUSAL_BYTES = 2**20
"""How many bytes of a refusal are read as JSON."""
_EXIT_S = 1.0
"""How long it may take to notice that a server that no longer responds has exited."""


def check_stack(
    running: RunningStack,
    suite: Suite,
    scenarios: Iterable[Scenario],
    records: Sequence[Record],
    *,
    reading_only: bool = False,
    careful: bool = False,
    leave_out: Collection[str] = (),
    timeout_s: float = 30.0,
    seen: list[SeenResponse] | None = None,
) -> dict[str, ContractError]:
    """Send the suite's examples and a few exchanges of each scenario, and compare every response.

    They are sent byte for byte as in a load, each on its own connection, without the
    cookies of another. Each may take ``timeout_s``. A scenario with a request that cannot be sent as it
    stands is skipped: its load reports that. So are those named in ``leave_out`` and, with ``reading_only``,
    those that write. With ``careful`` nothing is sent that a faulty server might store.

    After a scenario that writes, the database is compared too. If it is accessible, it is restored
    before each of these, and after each that wrote or failed, examples too; the last one leaves it changed.

    The expected responses are added to ``seen``: those to exchanges of scenarios, not to examples.

    Returns the first fault of each failed scenario: what was expected, and what was received. An example
    belongs to the scenarios that ask for the same operation: the same method and path, ignoring numbers in
    it. Raises :class:`~pytest_webbench.model.errors.ContractError` for a wrong response to an example that
    belongs to none, and if the stack no longer responds at all,
    :class:`~pytest_webbench.model.errors.StackDiedError` if it has exited, and
    :class:`~pytest_webbench.model.errors.UsageError` for a mistake in the suite.
    """
    check = _Check(running, timeout_s, seen)
    planned = [_Planned.of(scenario, records) for scenario in scenarios]
    wrong: dict[str, ContractError] = {}
    spoilt = False
    for example in suite.examples(records):
        if careful and isinstance(example, Refusal) and example.request.method != "GET":
            continue  # a server that accepts it would be changed
        concerned = [each.name for each in planned if _operation(example.request) in each.operations]
        if concerned and all(name in wrong or name in leave_out for name in concerned):
            continue
        if spoilt and running.reachable_inside:
            suite.dataset.load(running)
        error = check.one(example, concerned)
        spoilt = error is not None
        if error is not None and not concerned:
            raise error
        if error is not None:
            wrong |= {name: error for name in concerned if name not in wrong and name not in leave_out}
    for each in planned:
        passed_over = each.writes and (reading_only or careful)
        if passed_over or each.name in wrong or each.name in leave_out:
            continue
        if each.error is None and not check.can_send(each.exchanges):
            continue
        if running.reachable_inside and (each.writes or spoilt):
            suite.dataset.load(running)
        error = each.error or check.scenario(each, suite, records)
        spoilt = each.writes or error is not None
        if error is not None:
            wrong[each.name] = error
    check.refuse_if_ended("afterwards")
    return wrong


def exchanges_of_check(scenario: Scenario, records: Sequence[Record]) -> tuple[Exchange, ...]:
    """Return the few exchanges with which ``scenario`` is checked; raises what its traffic raises."""
    rng = random.Random(f"check/{scenario.name}")
    return exchanges_of(scenario, records, EXCHANGES_PER_SCENARIO, rng)[:EXCHANGES_PER_SCENARIO]


def observe_records(running: RunningStack, suite: Suite, *, timeout_s: float = 30.0) -> tuple[Record, ...]:
    """Return the records that a server reports, if its database is not accessible.

    Raises :class:`~pytest_webbench.model.errors.ContractError` if it does not report them in JSON.
    """
    check = _Check(running, timeout_s)

    def get(path: str) -> JsonValue:
        request = Request(path=path)
        response = check.ask(request, keep=MAX_RESPONSE)
        if isinstance(response, ContractError):
            raise response
        try:
            return json.loads(response.decoded())
        except CodingError as error:
            raise check.violation(request, str(error), response) from None
        except (ValueError, RecursionError):
            raise check.violation(request, "expected JSON", response) from None

    return suite.dataset.observe(get)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    """The few exchanges of a scenario; ``error`` says why its traffic could not create them."""

    name: str
    writes: bool
    exchanges: tuple[Exchange, ...] = ()
    operations: frozenset[str] = frozenset()
    error: ContractError | None = None

    @classmethod
    def of(cls, scenario: Scenario, records: Sequence[Record]) -> "_Planned":
        """Plan the check of ``scenario``."""
        name, writes = scenario.name, scenario.writes
        try:
            exchanges = exchanges_of_check(scenario, records)
        except UsageError as error:
            failure = ContractError(error.message, evidence=error.evidence, hint=error.hint)
            return cls(name=name, writes=writes, error=failure)
        operations = frozenset(_operation(each.request) for each in exchanges)
        return cls(name=name, writes=writes, exchanges=exchanges, operations=operations)


def _operation(request: Request) -> str:
    """Return the method and the path, without the query, and with a placeholder for each number."""
    path = re.split(r"[?#]", request.path, maxsplit=1)[0]
    return f"{request.method} {re.sub('[0-9]+', '#', path)}"


class _Check:
    """Exchanges with one stack, each compared with the expected response."""

    def __init__(
        self, running: RunningStack, timeout_s: float, seen: list[SeenResponse] | None = None
    ) -> None:
        self._seen = seen
        self._running = running
        self._timeout_s = timeout_s
        self._cookies: dict[str, str] = {}
        """The request whose response set each cookie, by the cookie's name; the last one counts."""
        try:
            self._target = Target.parse(running.base_url)
        except LoadError as error:
            raise ContractError(f"{running.stack.name}: {error.message}", hint=error.hint) from None

    def can_send(self, exchanges: Sequence[Exchange]) -> bool:
        """Return whether all of ``exchanges`` can be sent as they stand."""
        try:
            for each in exchanges:
                encode(each.request, self._target)
        except LoadError:
            return False
        return True

    def scenario(self, planned: _Planned, suite: Suite, records: Sequence[Record]) -> ContractError | None:
        """Return the first fault of the exchanges of a scenario, or of its writes."""
        for each in planned.exchanges:
            error = self.one(each, (planned.name,), keep_for=planned.name)
            if error is not None:
                return error
        if not planned.writes:
            return None
        return _state_error(self._running, suite.dataset.state(self._running), records, planned)

    def one(
        self, example: Exchange | Refusal, concerned: Sequence[str] = (), *, keep_for: str = ""
    ) -> ContractError | None:
        """Return the fault of the response to ``example``, which concerns these scenarios, or the stack.

        An expected response is kept for the scenario ``keep_for``, if responses are kept at all.

        Raises the errors of :meth:`ask`.
        """
        keep = REFUSAL_BYTES if isinstance(example, Refusal) else bytes_to_keep(example.answer)
        keeps = self._seen is not None and bool(keep_for)
        response = self.ask(example.request, keep=max(keep, SEEN_BYTES if keeps else 0))
        if isinstance(response, ContractError):
            return response
        if isinstance(example, Refusal):
            fault = _refusal_fault(example, response)
        else:
            wrong = judge_whole(example.answer, response)
            fault = wrong.why if wrong is not None else None
        if fault is not None:
            return self.violation(example.request, fault, response, concerned)
        if self._seen is not None and keep_for:
            self._seen.append(_as_seen(keep_for, example.request, response))
        for name, value in response.headers:
            if name.lower() == "set-cookie":
                self._cookies[value.partition("=")[0].strip()] = _shown(example.request)
        return None

    def ask(self, request: Request, *, keep: int) -> Response | ContractError:
        """Return the response to ``request``, or why there is none.

        Raises :class:`ContractError` if the stack does not respond to its ready request either, and
        :class:`~pytest_webbench.model.errors.StackDiedError` if it has ended.
        """
        name = self._running.stack.name
        try:
            return exchange(self._target, request, timeout_s=self._timeout_s, keep=keep)
        except LoadError as error:
            return ContractError(f"{name} cannot be asked: {error.message}", hint=error.hint)
        except NoResponseError as error:
            silence = error
        log = self._running.log_tail()
        if sign := self._running.stack.fatal_sign(log):
            return ContractError(f"{sign[0]}, at {_shown(request)}", evidence=log, hint=sign[1])
        hint = "see the end of its log above" if log else "is the server still there?"
        if silence.late:
            hint = "if the endpoint is meant to take longer, allow it by --webbench-request-timeout"
        why = cause_of_silence(self._target, silence) or silence.why
        asked = _shown(request)
        if silence.malformed:
            return ContractError(f"{name} gave a wrong response to {asked}: {why}", evidence=log, hint=hint)
        if not self._is_ready():
            until = time.monotonic() + _EXIT_S
            while self._running.ended() is None and time.monotonic() < until:
                time.sleep(_EXIT_S / 100)
            self.refuse_if_ended(f"at {asked}")
            ready = _shown(self._running.stack.ready.request)
            nor = "" if asked == ready else f", nor to {ready}"
            raise ContractError(f"{name} gave no response to {asked}: {why}{nor}", evidence=log, hint=hint)
        return ContractError(f"{name} gave no response to {asked}: {why}", evidence=log, hint=hint)

    def _is_ready(self) -> bool:
        """Return whether the stack responds to its ready request, as expected or not."""
        ready, running = self._running.stack.ready, self._running
        try:
            exchange(
                self._target,
                ready.request,
                timeout_s=self._timeout_s,
                keep=bytes_to_keep(ready.answer),
                in_vain=lambda: running.ended() is not None,
            )
        except NoResponseError as error:
            return error.malformed
        except LoadError:
            return True
        return running.ended() is None

    def refuse_if_ended(self, when: str) -> None:
        """Raise :class:`~pytest_webbench.model.errors.StackDiedError` if the server has ended."""
        why = self._running.ended()
        if why is not None:
            raise StackDiedError(
                f"{self._running.stack.name} ended while it was checked, {when}: {why}",
                evidence=self._running.log_tail(),
                hint="see the end of its log above",
            )

    def violation(
        self, request: Request, fault: str, response: Response, concerned: Sequence[str] = ()
    ) -> ContractError:
        """Return the error that ``response`` is wrong because of ``fault``."""
        running = self._running
        body = response.readable.decode("utf-8", "replace")
        came = body if len(body) <= 400 else f"{body[:397]}..."
        evidence = [f"{_shown(request)} gave {response.status}: {came}"]
        if response.status >= 500 and running.log_tail():
            evidence += ["the end of its log:", running.log_tail()]
        return ContractError(
            f"{running.stack.name} gave a wrong response to {_shown(request)}: {fault}",
            evidence="\n".join(evidence),
            hint=self._hint(request, response, concerned),
        )

    def _hint(self, request: Request, response: Response, concerned: Sequence[str]) -> str:
        given = {name.lower() for name, _ in request.headers}
        if response.status in {401, 403} and self._cookies and "cookie" not in given:
            cookie, setter = next(reversed(self._cookies.items()))
            return (
                f"give the request a Cookie header: the answer to {setter} set the cookie {cookie!r}, "
                "and cookies are not kept from one request to the next, here or under load"
            )
        return f"{_not_timed(concerned)} until it follows its contract"


def _as_seen(scenario: str, request: Request, response: Response) -> SeenResponse:
    try:
        body = response.decoded(SEEN_BYTES)
    except CodingError:
        body = response.body
    return SeenResponse(
        scenario=scenario,
        request=f"{request.method} {mask_path(request.path)}",
        status=response.status,
        headers=response.headers,
        body=body[:SEEN_BYTES],
    )


def _refusal_fault(refusal: Refusal, response: Response) -> str | None:
    if response.status not in refusal.statuses:
        wanted = refusal.statuses
        shown = f"{wanted[0]}" if len(wanted) == 1 else f"{wanted[0]} to {wanted[-1]}"
        return f"expected status {shown}, got {response.status}"
    try:
        json.loads(response.decoded(REFUSAL_BYTES))
    except CodingError as error:
        return str(error)
    except (ValueError, RecursionError):
        return "expected a body in JSON with the refusal"
    return None


def _state_error(
    running: RunningStack, after: Mapping[int, Record], records: Sequence[Record], planned: _Planned
) -> ContractError | None:
    exchanges = planned.exchanges
    faults = state_faults(records_by_key(records), after, exchanges, sent=len(exchanges))
    if not faults:
        return None
    return ContractError(
        f"{running.stack.name} answered {planned.name} rightly, but its database is wrong: {faults[0]}",
        evidence="\n".join(faults[1:]),
        hint=f"{_not_timed((planned.name,))} until it stores what it says",
    )


def _not_timed(concerned: Sequence[str]) -> str:
    """Return the scenarios that are not timed: those concerned, or all if there are none."""
    if not concerned:
        return "nothing of this stack is timed"
    return f"{' and '.join(concerned)} {'is' if len(concerned) == 1 else 'are'} not timed on this stack"


def _shown(request: Request) -> str:
    asked = f"{request.method} {mask_path(request.path)}"
    if request.body is None:
        return asked
    body = mask_body(request.body)
    return f"{asked} with {body if len(body) <= 80 else f'{body[:77]}...'}"
