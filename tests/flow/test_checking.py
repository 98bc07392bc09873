"""The check before timing finds what a stack does otherwise than its contract says."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pytest_webbench.load.fake import FakeEngine
from pytest_webbench.model.errors import ContractError, SeedError, StackDiedError
from pytest_webbench.model.http import Answer, BodyRule, Exchange, Refusal, Request
from pytest_webbench.model.load import Amount
from pytest_webbench.model.plan import PROFILES, Block, Cell, Plan, Trial, TrialOrder
from pytest_webbench.model.run import CheckFailed, Event, StackFailed, TrialFinished
from pytest_webbench.model.stack import Stack
from pytest_webbench.model.suite import NoDataset, Scenario, Suite
from pytest_webbench.runs.contract import check_stack, observe_records
from pytest_webbench.runs.runner import Runner
from pytest_webbench.runs.trial import TrialRunner
from pytest_webbench.stacks.fake import FakeLauncher
from pytest_webbench.suites.items import SCENARIOS, STACKS, SUITE
from tests.flow.doubles import NO_BODY, AnsweringStack, AppServer, ItemsApp, Reply
from tests.load.servers import Peer, Server, answer, json_answer

RECORDS = SUITE.dataset.records(20)


def launch(server: AppServer, app: ItemsApp) -> AnsweringStack:
    running = AnsweringStack(stack=STACKS[0], app=app, base_url=server.add("tiny", app))
    SUITE.dataset.prepare(running, RECORDS)
    SUITE.dataset.load(running)
    return running


def check(server: AppServer, app: ItemsApp) -> dict[str, ContractError]:
    return check_stack(launch(server, app), SUITE, SCENARIOS, RECORDS)


def fault(server: AppServer, app: ItemsApp) -> ContractError:
    return next(iter(check(server, app).values()))


def test_a_right_application_passes(app_server: AppServer) -> None:
    assert check(app_server, ItemsApp()) == {}


class Wrong(ItemsApp):
    """Responds to one kind of request with ``reply``, and otherwise as expected."""

    method: str
    path: str
    reply: Reply

    def answer(self, method: str, path: str, body: bytes) -> Reply:
        right = super().answer(method, path, body)
        if method == self.method and path.startswith(self.path):
            return self.wrong(right)
        return right

    def wrong(self, right: Reply) -> Reply:
        return self.reply


def wrong(method: str, path: str, reply: Reply) -> Wrong:
    app = Wrong()
    app.method, app.path, app.reply = method, path, reply
    return app


@pytest.mark.parametrize(
    ("scenario", "asked", "reply", "message"),
    [
        (
            "hello",
            "GET /hello",
            (404, {}),
            "GET /hello: the status is 404, expected 200; the body is '{}'",
        ),
        (
            "echo",
            "POST /echo",
            (200, {"a": 1}),
            'POST /echo with {}: "a" is 1, expected to be absent',
        ),
        ("get_item", "GET /items/", (200, []), "GET /items/1: the body is [], expected "),
        ("update_item", "PUT /items/1000020", (200, {}), "PUT /items/1000020 with "),
        (
            "delete_item",
            "DELETE /items/1000020",
            (204, NO_BODY),
            "DELETE /items/1000020: expected status 404, got 204",
        ),
        (
            "create_item",
            "POST /items/",
            (201, {}),
            "POST /items/ with {: expected status 400 to 499, got 201",
        ),
        (
            "create_item",
            "POST /items/",
            (500, {}),
            "POST /items/ with {: expected status 400 to 499, got 500",
        ),
    ],
)
def test_a_wrong_answer_is_told_with_what_was_expected(
    app_server: AppServer, scenario: str, asked: str, reply: Reply, message: str
) -> None:
    method, _, path = asked.partition(" ")
    error = check(app_server, wrong(method, path, reply))[scenario]
    assert error.message.startswith(f"fastapi-sqlalchemy gave a wrong response to {message}")
    assert error.hint == f"{scenario} is not timed on this stack until it follows its contract"


@pytest.mark.parametrize(
    ("scenario", "method", "path"),
    [
        ("hello", "GET", "/hello"),
        ("echo", "POST", "/echo"),
        ("create_item", "POST", "/items/"),
        ("update_item", "PUT", "/items/"),
        ("delete_item", "DELETE", "/items/"),
    ],
)
def test_one_wrong_scenario_is_alone_in_it(
    app_server: AppServer, scenario: str, method: str, path: str
) -> None:
    """Those that write wrongly have changed the records: those after them find these as they should be."""
    assert set(check(app_server, wrong(method, path, (418, {"detail": "no"})))) == {scenario}


def test_a_stack_that_is_wrong_in_all_of_them_says_so_of_each(app_server: AppServer) -> None:
    class Hopeless(ItemsApp):
        def answer(self, method: str, path: str, body: bytes) -> Reply:
            return 404, {"detail": "not found"}

    wrongs = check(app_server, Hopeless())
    assert set(wrongs) == {each.name for each in SCENARIOS}
    assert len({error.message for error in wrongs.values()}) == len(SCENARIOS)


def test_an_example_of_no_scenario_concerns_the_whole_stack(app_server: AppServer) -> None:
    odd = Exchange(request=Request(path="/items/"), answer=Answer(status=418))
    suite = replace(SUITE, examples=lambda records: [odd])
    reading = [each for each in SCENARIOS if each.name != "list_items"]
    with pytest.raises(ContractError, match="GET /items/: the status is 200, expected 418") as caught:
        check_stack(launch(app_server, ItemsApp()), suite, reading, RECORDS)
    assert caught.value.hint == "nothing of this stack is timed until it follows its contract"


def test_what_a_write_has_changed_is_put_back_for_the_one_that_reads_after_it(app_server: AppServer) -> None:
    by_name = {each.name: each for each in SCENARIOS}
    order = [by_name[name] for name in ("update_item", "delete_item", "list_items", "get_item")]
    assert check_stack(launch(app_server, ItemsApp()), SUITE, order, RECORDS) == {}


def test_a_scenario_that_reads_and_changes_does_not_fail_the_next(app_server: AppServer) -> None:
    class Eager(ItemsApp):
        def answer(self, method: str, path: str, body: bytes) -> Reply:
            if path == "/hello":
                self.items.clear()
                return 500, {}
            return super().answer(method, path, body)

    assert set(check(app_server, Eager())) == {"hello"}


def test_traffic_that_fails_for_these_records_fails_its_scenario(app_server: AppServer) -> None:
    traffic: Any = lambda records, count, rng: len(records)  # noqa: E731
    scenarios = [replace(SCENARIOS[0], name="odd", traffic=traffic), *SCENARIOS]
    wrongs = check_stack(launch(app_server, ItemsApp()), SUITE, scenarios, RECORDS)
    assert set(wrongs) == {"odd"}
    assert wrongs["odd"].message == "the traffic of scenario odd returned 20"


def test_a_database_that_cannot_be_filled_again_fails_the_whole_stack(app_server: AppServer) -> None:
    class Locked(AnsweringStack):
        def execute(self, arguments: Sequence[str]) -> bytes:
            if arguments[1] == "dump":
                raise SeedError("the database is locked")
            return super().execute(arguments)

    app = ItemsApp()
    running = Locked(stack=STACKS[0], app=app, base_url=app_server.add("tiny", app))
    SUITE.dataset.prepare(running, RECORDS)
    with pytest.raises(SeedError, match="the database is locked"):
        check_stack(running, SUITE, SCENARIOS, RECORDS)


SHOP = Suite(name="shop", dataset=NoDataset())


def shop_scenarios(*paths: str) -> list[Scenario]:
    def scenario(path: str) -> Scenario:
        ask = Exchange(request=Request(path=path), answer=Answer())
        return Scenario(
            name=path.strip("/"),
            suite="shop",
            users=1,
            amount=Amount(requests=1),
            traffic=lambda records, count, rng: [ask],
        )

    return [scenario(path) for path in paths]


def test_an_endpoint_that_drops_the_connection_fails_alone() -> None:
    def respond(server: Server, peer: Peer, number: int) -> None:
        if peer.path == "/b":
            peer.close()
        else:
            peer.send(json_answer({}))

    with Server(respond) as server:
        running = AnsweringStack(stack=STACKS[0], app=ItemsApp(), base_url=server.url)
        wrongs = check_stack(running, SHOP, shop_scenarios("/a", "/b", "/c"), ())
    assert set(wrongs) == {"b"}
    assert "gave no response to GET /b: the connection was closed without a response" in wrongs["b"].message


def test_an_endpoint_that_hangs_fails_alone() -> None:
    def respond(server: Server, peer: Peer, number: int) -> None:
        if peer.path == "/b":
            peer.hold()
        else:
            peer.send(json_answer({}))

    with Server(respond) as server:
        running = AnsweringStack(stack=STACKS[0], app=ItemsApp(), base_url=server.url)
        wrongs = check_stack(running, SHOP, shop_scenarios("/a", "/b", "/c"), (), timeout_s=1.0)
    assert set(wrongs) == {"b"}
    assert "--webbench-request-timeout" in wrongs["b"].hint


def test_a_server_that_dies_in_the_check_fails_the_stack_once() -> None:
    asked: list[str] = []
    running = AnsweringStack(stack=STACKS[0], app=ItemsApp())

    def respond(server: Server, peer: Peer, number: int) -> None:
        asked.append(peer.path)
        if peer.path == "/b":
            running.dead = "it was ended by SIGSEGV"
            peer.close()
        else:
            peer.send(json_answer({}))

    with Server(respond) as server:
        running.base_url = server.url
        with pytest.raises(StackDiedError) as caught:
            check_stack(running, SHOP, shop_scenarios("/a", "/b", "/c"), ())
    assert caught.value.message == (
        "fastapi-sqlalchemy ended while it was checked, at GET /b: it was ended by SIGSEGV"
    )
    assert "/c" not in asked


def test_a_server_that_answers_and_dies_fails_the_stack() -> None:
    running = AnsweringStack(stack=STACKS[0], app=ItemsApp())

    def respond(server: Server, peer: Peer, number: int) -> None:
        running.dead = "it exited with code 3"
        peer.send(json_answer({}))

    with Server(respond) as server:
        running.base_url = server.url
        with pytest.raises(StackDiedError, match="ended while it was checked, afterwards: it exited with"):
            check_stack(running, SHOP, shop_scenarios("/a"), ())


def test_a_server_that_no_longer_responds_fails_the_stack_once() -> None:
    stuck: list[str] = []

    def respond(server: Server, peer: Peer, number: int) -> None:
        if peer.path == "/b" or stuck:
            stuck.append(peer.path)
            peer.hold()
        else:
            peer.send(json_answer({}))

    with Server(respond) as server:
        running = AnsweringStack(stack=STACKS[0], app=ItemsApp(), base_url=server.url)
        with pytest.raises(ContractError, match=r"gave no response to GET /b: .* nor to GET /hello"):
            check_stack(running, SHOP, shop_scenarios("/a", "/b", "/c"), (), timeout_s=0.3)
    assert stuck == ["/b", "/hello"]


def test_a_refusal_without_json_is_a_fault(app_server: AppServer) -> None:
    class Curt(ItemsApp):
        def answer(self, method: str, path: str, body: bytes) -> Reply:
            status, value = super().answer(method, path, body)
            return status, (NO_BODY if status == 404 else value)

    error = fault(app_server, Curt())
    assert error.message == (
        "fastapi-sqlalchemy gave a wrong response to GET /items/1000020: expected a body in JSON with the "
        "refusal"
    )


def test_an_error_of_the_server_comes_with_the_end_of_its_log(app_server: AppServer) -> None:
    error = fault(app_server, wrong("GET", "/hello", (500, "boom")))
    assert error.evidence.splitlines() == [
        'GET /hello gave 500: "boom"',
        "the end of its log:",
        "the log of fastapi-sqlalchemy",
    ]


def test_a_write_that_is_answered_but_not_stored_is_found(app_server: AppServer) -> None:
    class Forgetful(ItemsApp):
        def insert(self, columns: Any) -> dict[str, Any]:
            made = super().insert(columns)
            del self.items[made["id"]]
            return made

    error = fault(app_server, Forgetful())
    assert error.message.startswith(
        "fastapi-sqlalchemy answered create_item rightly, but its database is wrong: {"
    )
    assert " is there 0 times, expected 1" in error.message
    assert error.hint == "create_item is not timed on this stack until it stores what it says"


def test_a_write_that_changes_more_than_it_should_is_found(app_server: AppServer) -> None:
    class Greedy(ItemsApp):
        def answer(self, method: str, path: str, body: bytes) -> Reply:
            reply = super().answer(method, path, body)
            if method == "DELETE" and reply[0] == 204:
                self.items.pop(max(self.items))
            return reply

    message = fault(app_server, Greedy()).message
    assert message.startswith(
        "fastapi-sqlalchemy answered delete_item rightly, but its database is wrong: record "
    )


def test_a_server_that_is_gone_is_told_with_its_log(app_server: AppServer) -> None:
    app = ItemsApp()
    running = AnsweringStack(stack=STACKS[0], app=app, base_url="http://127.0.0.1:1")
    with pytest.raises(ContractError) as caught:
        check_stack(running, SUITE, SCENARIOS, RECORDS)
    assert caught.value.message.startswith("fastapi-sqlalchemy gave no response to GET /hello: [Errno ")
    assert caught.value.evidence == "the log of fastapi-sqlalchemy"


def test_a_long_answer_is_cut(app_server: AppServer) -> None:
    error = fault(app_server, wrong("GET", "/hello", (200, "x" * 5000)))
    assert len(error.evidence) < 500
    assert error.evidence.endswith("xxx...")


def test_observing_a_server_that_does_not_speak_json(app_server: AppServer) -> None:
    app = wrong("GET", "/items/", (200, NO_BODY))
    running = AnsweringStack(stack=STACKS[0], app=app, base_url=app_server.add("tiny", app))
    with pytest.raises(
        ContractError, match=r"^fastapi-sqlalchemy gave a wrong response to GET /items/: expected JSON"
    ):
        observe_records(running, SUITE)


def test_examples_of_a_suite_may_be_exchanges_and_refusals() -> None:
    kinds = {type(example) for example in SUITE.examples(RECORDS)}
    assert kinds == {Exchange, Refusal}
    refusal = Refusal(request=Request(), statuses=(404,))
    assert refusal.request == Request(method="GET", path="/")
    assert Answer().status == 200


def test_a_careful_check_sends_nothing_that_a_server_at_fault_might_store(app_server: AppServer) -> None:
    asked: list[tuple[str, str]] = []

    class Listening(ItemsApp):
        def answer(self, method: str, path: str, body: bytes) -> Reply:
            asked.append((method, path))
            return super().answer(method, path, body)

    app = Listening()
    running = AnsweringStack(stack=STACKS[0], app=app, base_url=app_server.add("tiny", app))
    SUITE.dataset.prepare(running, RECORDS)
    SUITE.dataset.load(running)
    reading = [each for each in SCENARIOS if not each.writes]
    check_stack(running, SUITE, reading, RECORDS, careful=True)
    assert {method for method, _ in asked} == {"GET", "POST"}
    assert {path for method, path in asked if method == "POST"} == {"/echo"}


class Counted(ItemsApp):
    """Records the methods and paths of its requests, and gets selected ones wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.wrong_at = ""

    def answer(self, method: str, path: str, body: bytes) -> Reply:
        self.asked.append(f"{method} {path}")
        return (200, {}) if self.asked[-1] == self.wrong_at else super().answer(method, path, body)


def run_twice(server: AppServer, *apps: Counted) -> list[Event]:
    """Two blocks of one stack, each of whose launches is the next of ``apps``; no load is made by HTTP."""
    launches = iter(apps)

    def launch(stack: Stack) -> AnsweringStack:
        app = next(launches)
        return AnsweringStack(stack=stack, app=app, base_url=server.add("tiny", app))

    cell = Cell(scenario="hello", stack=STACKS[0].name)
    runner = Runner(
        bench=TrialRunner(engine=FakeEngine(), profile=PROFILES["smoke"], seed=1, records=20),
        launcher=FakeLauncher(make=launch),
        stacks={cell.stack: STACKS[0]},
        scenarios={each.name: each for each in SCENARIOS},
        suites={"items": SUITE},
        checks={"items": SCENARIOS},
    )
    blocks = tuple(
        Block(number=number, stacks=(cell.stack,), groups=((Trial(cell=cell, round=number),),))
        for number in range(2)
    )
    return list(runner.run(Plan(order=TrialOrder.INTERLEAVED, seed=1, blocks=blocks)))


def writes_to_records(app: Counted) -> list[str]:
    """What would have changed one of the records; what must be refused changes none."""
    changing = {f"{method} /items/{record['id']}" for method in ("PUT", "DELETE") for record in RECORDS}
    return [asked for asked in app.asked if asked in changing]


def test_after_its_first_launch_a_stack_is_checked_by_what_reads(app_server: AppServer) -> None:
    first, second = Counted(), Counted()
    events = run_twice(app_server, first, second)
    assert sum(isinstance(event, TrialFinished) for event in events) == 2
    assert "GET /items/" in first.asked
    assert writes_to_records(first)
    assert not writes_to_records(second)
    assert "GET /hello" in second.asked
    assert "GET /items/" in second.asked
    assert second.items == {record["id"]: record for record in RECORDS}


def test_a_later_launch_that_answers_wrongly_is_not_timed(app_server: AppServer) -> None:
    first, second = Counted(), Counted()
    second.wrong_at = "GET /hello"
    events = run_twice(app_server, first, second)
    assert sum(isinstance(event, TrialFinished) for event in events) == 1
    (failed,) = [event for event in events if isinstance(event, CheckFailed)]
    assert failed.cell == Cell(scenario="hello", stack=STACKS[0].name)
    assert "GET /hello" in str(failed.error)


def test_a_scenario_that_failed_its_check_is_not_launched_for_again(app_server: AppServer) -> None:
    first, second = Counted(), Counted()
    first.wrong_at = "GET /hello"
    events = run_twice(app_server, first, second)
    assert not any(isinstance(event, TrialFinished | StackFailed) for event in events)
    assert sum(isinstance(event, CheckFailed) for event in events) == 1
    assert second.asked == []


def test_cookies_are_not_kept_and_the_next_step_is_said() -> None:
    """The second exchange needs what the first one set, and under load it would not be sent either."""
    seen: list[bytes] = []

    def respond(server: Server, peer: Peer, number: int) -> None:
        seen.append(peer.request.lower())
        if peer.path == "/login":
            peer.send(json_answer({}).replace(b"\r\n\r\n", b"\r\nSet-Cookie: session=s1; Path=/\r\n\r\n", 1))
        else:
            peer.send(json_answer({"detail": "log in"}, status=401))

    exchanges = [Exchange(request=Request(path=path), answer=Answer()) for path in ("/login", "/me")]
    suite = Suite(name="shop", dataset=NoDataset(), examples=lambda records: exchanges)
    with Server(respond) as server:
        running = AnsweringStack(stack=STACKS[0], app=ItemsApp(), base_url=server.url)
        with pytest.raises(ContractError) as caught:
            check_stack(running, suite, (), ())
    assert " gave a wrong response to GET /me: the status is 401, expected 200" in caught.value.message
    assert caught.value.hint.startswith("give the request a Cookie header: the answer to GET /login set the")
    assert b"cookie" not in b"".join(seen)


def test_an_endpoint_that_is_too_slow_is_told_with_the_option_that_helps() -> None:
    ask = Exchange(request=Request(), answer=Answer())
    suite = Suite(name="shop", dataset=NoDataset(), examples=lambda records: [ask])
    with Server(lambda server, peer, number: peer.hold()) as server:
        running = AnsweringStack(stack=STACKS[0], app=ItemsApp(), base_url=server.url)
        with pytest.raises(ContractError) as caught:
            check_stack(running, suite, (), (), timeout_s=0.2)
    assert "no response came within 0.2 s" in caught.value.message
    assert "--webbench-request-timeout" in caught.value.hint


def test_a_scenario_that_cannot_be_sent_is_left_to_its_load(app_server: AppServer) -> None:
    unsendable = Exchange(request=Request(path="/a b"), answer=Answer())
    bad = replace(SCENARIOS[0], traffic=lambda records, count, rng: [unsendable])
    app = Counted()
    running = AnsweringStack(stack=STACKS[0], app=app, base_url=app_server.add("tiny", app))
    SUITE.dataset.prepare(running, RECORDS)
    SUITE.dataset.load(running)
    check_stack(running, SUITE, [bad, SCENARIOS[2]], RECORDS)
    assert "GET /items/" in app.asked


@pytest.mark.parametrize(
    ("coding", "why"),
    [("br", "encoded with 'br'"), ("zstd", "leave it out of the request's Accept-Encoding")],
)
def test_an_encoding_that_is_not_decoded_is_refused_by_name(coding: str, why: str) -> None:
    ask = Exchange(request=Request(), answer=Answer(rule=BodyRule.JSON, json={}))
    suite = Suite(name="shop", dataset=NoDataset(), examples=lambda records: [ask])
    packed = answer(b"x", headers=(f"Content-Encoding: {coding}",))
    with Server(lambda server, peer, number: peer.send(packed)) as server:
        running = AnsweringStack(stack=STACKS[0], app=ItemsApp(), base_url=server.url)
        with pytest.raises(ContractError) as caught:
            check_stack(running, suite, (), ())
    assert why in caught.value.message
