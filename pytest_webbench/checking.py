"""The check before timing: does the stack answer every operation of its contract rightly?"""

import json
import random
from collections.abc import Iterable, Mapping, Sequence

import httpx

from pytest_webbench.errors import ContractError
from pytest_webbench.launchers import RunningStack
from pytest_webbench.launchers.probe import open_client, send
from pytest_webbench.logic.judging import judge
from pytest_webbench.logic.state import records_by_key, state_faults
from pytest_webbench.suites import Suite
from pytest_webbench.values.exchange import Exchange, JsonValue, Record, Refusal, Request
from pytest_webbench.values.scenario import Scenario

__all__ = ["check_stack", "observe_records"]

EXCHANGES_PER_SCENARIO = 3
TIMEOUT_S = 30.0


def check_stack(
    running: RunningStack,
    suite: Suite,
    scenarios: Iterable[Scenario],
    records: Sequence[Record],
    *,
    careful: bool = False,
) -> None:
    """Send the suite's examples and a few exchanges of each scenario, and compare every answer.

    After a scenario that writes, the database is compared too; it is filled again before each of them,
    and left changed by the last. With ``careful`` nothing is sent that a server at fault might store.
    Raises :class:`~pytest_webbench.errors.ContractError` for the first wrong answer, with what was
    expected and what came.
    """
    with open_client(running.base_url, timeout_s=TIMEOUT_S) as client:
        for example in suite.examples(records):
            if careful and isinstance(example, Refusal) and example.request.method != "GET":
                continue  # a server that does not refuse it would be changed
            _check_one(client, running, example)
        for scenario in scenarios:
            rng = random.Random(f"check/{scenario.name}")
            exchanges = scenario.traffic(records, EXCHANGES_PER_SCENARIO, rng)[:EXCHANGES_PER_SCENARIO]
            if scenario.writes:
                suite.dataset.load(running)
            for exchange in exchanges:
                _check_one(client, running, exchange)
            if scenario.writes:
                _check_state(running, suite.dataset.state(running), records, exchanges, scenario)


def observe_records(running: RunningStack, suite: Suite) -> tuple[Record, ...]:
    """The records that a server says it holds, for one whose database cannot be reached.

    Raises :class:`~pytest_webbench.errors.ContractError` if it does not say so in JSON.
    """

    def get(path: str) -> JsonValue:
        request = Request(path=path)
        response = _send(client, running, request)
        try:
            return json.loads(response.content)
        except ValueError:
            raise _violation(running, request, "expected JSON", response) from None

    with open_client(running.base_url, timeout_s=TIMEOUT_S) as client:
        return suite.dataset.observe(get)


def _check_one(client: httpx.Client, running: RunningStack, example: Exchange | Refusal) -> None:
    response = _send(client, running, example.request)
    if isinstance(example, Refusal):
        fault = _refusal_fault(example, response)
    else:
        wrong = judge(example.answer, response.status_code, response.content)
        fault = wrong.why if wrong is not None else None
    if fault is not None:
        raise _violation(running, example.request, fault, response)


def _refusal_fault(refusal: Refusal, response: httpx.Response) -> str | None:
    if response.status_code not in refusal.statuses:
        wanted = refusal.statuses
        shown = f"{wanted[0]}" if len(wanted) == 1 else f"{wanted[0]} to {wanted[-1]}"
        return f"expected status {shown}, got {response.status_code}"
    try:
        json.loads(response.content)
    except ValueError:
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


def _send(client: httpx.Client, running: RunningStack, request: Request) -> httpx.Response:
    try:
        return send(client, request)
    except httpx.HTTPError as error:
        raise ContractError(
            f"{running.stack.name} gave no answer to {_shown(request)}: {error or type(error).__name__}",
            evidence=running.log_tail(),
            hint="see the end of its log above",
        ) from None


def _violation(
    running: RunningStack, request: Request, fault: str, response: httpx.Response
) -> ContractError:
    body = response.text
    came = body if len(body) <= 400 else f"{body[:397]}..."
    evidence = [f"{_shown(request)} gave {response.status_code}: {came}"]
    if response.status_code >= 500 and running.log_tail():
        evidence += ["the end of its log:", running.log_tail()]
    return ContractError(
        f"{running.stack.name} answers {_shown(request)} wrongly: {fault}",
        evidence="\n".join(evidence),
        hint="nothing of this stack is timed until it answers as its contract says",
    )


def _shown(request: Request) -> str:
    if request.body is None:
        return f"{request.method} {request.path}"
    body = request.body if len(request.body) <= 80 else f"{request.body[:77]}..."
    return f"{request.method} {request.path} with {body}"
