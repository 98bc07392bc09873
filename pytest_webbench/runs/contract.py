"""The check before timing: does the stack answer every operation of its contract rightly?"""

import json
import random
from collections.abc import Iterable, Mapping, Sequence

from pytest_webbench.analysis.database_state import records_by_key, state_faults
from pytest_webbench.analysis.masking import mask_body, mask_path
from pytest_webbench.analysis.responses import exchanges_of
from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.http1.bounds import MAX_RESPONSE
from pytest_webbench.load.http1.coding import CodingError
from pytest_webbench.load.http1.exchange import NoResponseError, cause_of_silence, exchange
from pytest_webbench.load.http1.judging import bytes_to_keep, judge_whole
from pytest_webbench.load.http1.response import Response
from pytest_webbench.load.http1.wire import encode
from pytest_webbench.model.errors import ContractError, LoadError
from pytest_webbench.model.http import Exchange, JsonValue, Record, Refusal, Request
from pytest_webbench.model.stack import RunningStack
from pytest_webbench.model.suite import Scenario, Suite

__all__ = ["check_stack", "exchanges_of_check", "observe_records"]

EXCHANGES_PER_SCENARIO = 3
REFUSAL_BYTES = 2**20
"""How many bytes of a refusal are read as JSON."""


def check_stack(
    running: RunningStack,
    suite: Suite,
    scenarios: Iterable[Scenario],
    records: Sequence[Record],
    *,
    careful: bool = False,
    timeout_s: float = 30.0,
) -> None:
    """Send the suite's examples and a few exchanges of each scenario, and compare every answer.

    They are sent byte for byte as the load sends them, each on a connection of its own, and none knows the
    cookies of another. Each may take ``timeout_s``. A scenario with a request that cannot be sent as it
    stands is passed over: its load says so.

    After a scenario that writes, the database is compared too; it is filled again before each of them,
    and left changed by the last. With ``careful`` nothing is sent that a server at fault might store.
    Raises :class:`~pytest_webbench.model.errors.ContractError` for the first wrong answer, with what was
    expected and what came, and :class:`~pytest_webbench.model.errors.UsageError` for a mistake in the suite
    or a scenario.
    """
    check = _Check(running, timeout_s)
    for example in suite.examples(records):
        if careful and isinstance(example, Refusal) and example.request.method != "GET":
            continue  # a server that does not refuse it would be changed
        check.one(example)
    for scenario in scenarios:
        exchanges = exchanges_of_check(scenario, records)
        if not check.can_send(exchanges):
            continue
        if scenario.writes:
            suite.dataset.load(running)
        for each in exchanges:
            check.one(each)
        if scenario.writes:
            _check_state(running, suite.dataset.state(running), records, exchanges, scenario)


def exchanges_of_check(scenario: Scenario, records: Sequence[Record]) -> tuple[Exchange, ...]:
    """The few exchanges with which ``scenario`` is checked; raises what its traffic raises."""
    rng = random.Random(f"check/{scenario.name}")
    return exchanges_of(scenario, records, EXCHANGES_PER_SCENARIO, rng)[:EXCHANGES_PER_SCENARIO]


def observe_records(running: RunningStack, suite: Suite, *, timeout_s: float = 30.0) -> tuple[Record, ...]:
    """The records that a server says it holds, for one whose database cannot be reached.

    Raises :class:`~pytest_webbench.model.errors.ContractError` if it does not say so in JSON.
    """
    check = _Check(running, timeout_s)

    def get(path: str) -> JsonValue:
        request = Request(path=path)
        response = check.ask(request, keep=MAX_RESPONSE)
        try:
            return json.loads(response.decoded())
        except CodingError as error:
            raise check.violation(request, str(error), response) from None
        except (ValueError, RecursionError):
            raise check.violation(request, "expected JSON", response) from None

    return suite.dataset.observe(get)


class _Check:
    """Exchanges with one stack, each compared with what is right."""

    def __init__(self, running: RunningStack, timeout_s: float) -> None:
        self._running = running
        self._timeout_s = timeout_s
        self._cookies: dict[str, str] = {}
        """Which request was answered with which cookie, the last one by its name."""
        try:
            self._target = Target.parse(running.base_url)
        except LoadError as error:
            raise ContractError(f"{running.stack.name}: {error.message}", hint=error.hint) from None

    def can_send(self, exchanges: Sequence[Exchange]) -> bool:
        """Whether all of ``exchanges`` can be sent as they stand."""
        try:
            for each in exchanges:
                encode(each.request, self._target)
        except LoadError:
            return False
        return True

    def one(self, example: Exchange | Refusal) -> None:
        """Raise :class:`ContractError` if the response to ``example`` is wrong."""
        if isinstance(example, Refusal):
            response = self.ask(example.request, keep=REFUSAL_BYTES)
            fault = _refusal_fault(example, response)
        else:
            response = self.ask(example.request, keep=bytes_to_keep(example.answer))
            wrong = judge_whole(example.answer, response)
            fault = wrong.why if wrong is not None else None
        if fault is not None:
            raise self.violation(example.request, fault, response)
        for name, value in response.headers:
            if name.lower() == "set-cookie":
                self._cookies[value.partition("=")[0].strip()] = _shown(example.request)

    def ask(self, request: Request, *, keep: int) -> Response:
        """The response to ``request``. Raises :class:`ContractError` if there is none."""
        name = self._running.stack.name
        try:
            return exchange(self._target, request, timeout_s=self._timeout_s, keep=keep)
        except LoadError as error:
            raise ContractError(f"{name} cannot be asked: {error.message}", hint=error.hint) from None
        except NoResponseError as error:
            log = self._running.log_tail()
            hint = "see the end of its log above" if log else "is the server still there?"
            if error.late:
                hint = "if the endpoint is meant to take longer, allow it by --webbench-request-timeout"
            why = cause_of_silence(self._target, error) or error.why
            asked = _shown(request)
            raise ContractError(
                f"{name} answers {asked} wrongly: {why}"
                if error.malformed
                else f"{name} gave no answer to {asked}: {why}",
                evidence=log,
                hint=hint,
            ) from None

    def violation(self, request: Request, fault: str, response: Response) -> ContractError:
        """That ``response`` is wrong because of ``fault``."""
        running = self._running
        body = response.readable.decode("utf-8", "replace")
        came = body if len(body) <= 400 else f"{body[:397]}..."
        evidence = [f"{_shown(request)} gave {response.status}: {came}"]
        if response.status >= 500 and running.log_tail():
            evidence += ["the end of its log:", running.log_tail()]
        return ContractError(
            f"{running.stack.name} answers {_shown(request)} wrongly: {fault}",
            evidence="\n".join(evidence),
            hint=self._hint(request, response),
        )

    def _hint(self, request: Request, response: Response) -> str:
        given = {name.lower() for name, _ in request.headers}
        if response.status in {401, 403} and self._cookies and "cookie" not in given:
            cookie, setter = next(reversed(self._cookies.items()))
            return (
                f"give the request a Cookie header: the answer to {setter} set the cookie {cookie!r}, "
                "and cookies are not kept from one request to the next, here or under load"
            )
        return "nothing of this stack is timed until it answers as its contract says"


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


def _check_state(
    running: RunningStack,
    after: Mapping[int, Record],
    records: Sequence[Record],
    exchanges: Sequence[Exchange],
    scenario: Scenario,
) -> None:
    faults = state_faults(records_by_key(records), after, exchanges, sent=len(exchanges))
    if faults:
        raise ContractError(
            f"{running.stack.name} answered {scenario.name} rightly, but its database is wrong: {faults[0]}",
            evidence="\n".join(faults[1:]),
            hint="nothing of this stack is timed until it stores what it says",
        )


def _shown(request: Request) -> str:
    asked = f"{request.method} {mask_path(request.path)}"
    if request.body is None:
        return asked
    body = mask_body(request.body)
    return f"{asked} with {body if len(body) <= 80 else f'{body[:77]}...'}"
