"""One exchange outside of any timing, with servers that behave and that do not."""

import gzip
import resource
import ssl
import string
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.http1.exchange import NoResponseError, exchange
from pytest_webbench.load.http1.response import Response
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.http import Answer, Exchange, Request
from tests.load.loads import carry_out, make_load
from tests.load.servers import Peer, Server, answer

LONG_S = 60.0


def ask(server: Server, *, timeout_s: float = LONG_S, method: str = "GET", keep: int = 2**20) -> Response:
    return exchange(Target.parse(server.url), Request(method=method), timeout_s=timeout_s, keep=keep)


def fault(sent: bytes | Callable[[Peer], None], *, timeout_s: float = LONG_S) -> NoResponseError:
    """Return why there is no response if the server sends ``sent`` and then closes the connection."""

    def respond(server: Server, peer: Peer, number: int) -> None:
        with suppress(OSError):
            if isinstance(sent, bytes):
                peer.send(sent)
                peer.close()
            else:
                sent(peer)

    with Server(respond) as server, pytest.raises(NoResponseError) as caught:
        ask(server, timeout_s=timeout_s)
    return caught.value


TOKENS = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=8)
VALUES = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]))
FRAMING = {"content-length", "transfer-encoding", "connection", "expect", "upgrade"}
REQUESTS = st.builds(
    Request,
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]),
    path=st.text("".join(map(chr, range(33, 127)))).map(lambda rest: f"/{rest}"),
    body=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=50),
    headers=st.lists(
        st.tuples(TOKENS.filter(lambda name: name.lower() not in FRAMING), VALUES), max_size=4
    ).map(tuple),
)


@settings(max_examples=30)
@given(asked=st.lists(REQUESTS, min_size=1, max_size=3), credentials=st.sampled_from(["", "ann:p%40ss@"]))
def test_the_check_sends_the_bytes_that_the_load_sends(asked: list[Request], credentials: str) -> None:
    seen: list[bytes] = []

    def remember(server: Server, peer: Peer, number: int) -> None:
        seen.append(peer.request)
        peer.send(answer(headers=("Set-Cookie: a=b",)))

    with Server(remember) as server:
        url = server.url.replace("://", f"://{credentials}")
        for request in asked:
            exchange(Target.parse(url), request, timeout_s=LONG_S)
        exchanges = [Exchange(request=each, answer=Answer()) for each in asked]
        result = carry_out(make_load(*exchanges, users=1, requests=len(asked)), url)
    assert result.ok == len(asked)
    assert seen[: len(asked)] == seen[len(asked) :]


@pytest.mark.parametrize(
    "sent",
    [
        answer(b"body"),
        answer(b"body", version="1.0"),
        b"HTTP/1.1 200 OK\r\n\r\nbody",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nX-A: 1\r\n\r\n" * 3 + answer(b"body"),
    ],
)
def test_a_response_is_read_to_its_end(sent: bytes) -> None:
    def respond(server: Server, peer: Peer, number: int) -> None:
        peer.send(sent)
        peer.close()

    with Server(respond) as server:
        response = ask(server)
    assert (response.status, response.body, response.complete) == (200, b"body", True)
    assert "x-a" not in {name.lower() for name, _ in response.headers}


def test_a_response_to_head_has_no_body() -> None:
    with Server(
        lambda server, peer, number: peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
    ) as server:
        assert ask(server, method="HEAD").size == 0


def test_a_slow_response_that_comes_in_time_is_read() -> None:
    def drip(server: Server, peer: Peer, number: int) -> None:
        for byte in answer(b"slow"):
            peer.send(bytes([byte]))
            server.stopping.wait(0.002)

    with Server(drip) as server:
        assert ask(server).body == b"slow"


def drip_for_ever(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        peer.send(b"x")
        time.sleep(0.01)


def send_interim_for_ever(peer: Peer) -> None:
    while True:
        peer.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        time.sleep(0.01)


@pytest.mark.parametrize("misbehave", [Peer.hold, drip_for_ever, send_interim_for_ever])
def test_one_deadline_holds_for_the_whole_exchange(misbehave: Callable[[Peer], None]) -> None:
    began = time.monotonic()
    error = fault(misbehave, timeout_s=0.3)
    assert error.late
    assert "within 0.3 s" in error.why
    assert time.monotonic() - began < LONG_S / 2


def test_the_wait_ends_when_it_is_in_vain() -> None:
    asked = threading.Event()

    def hold(server: Server, peer: Peer, number: int) -> None:
        asked.set()
        peer.hold()

    with Server(hold) as server, pytest.raises(NoResponseError, match="the server has ended"):
        exchange(Target.parse(server.url), Request(), timeout_s=600, in_vain=asked.is_set)


def pour(piece: bytes, head: bytes = b"HTTP/1.1 200 OK\r\n") -> Callable[[Peer], None]:
    def send(peer: Peer) -> None:
        peer.send(head)
        while True:
            peer.send(piece)

    return send


def test_headers_without_end_are_given_up() -> None:
    error = fault(pour(b"X-A: " + b"a" * 1000 + b"\r\n"))
    assert error.malformed
    assert "the headers are longer than 65536 bytes" in error.why


def test_interim_responses_without_end_are_given_up() -> None:
    assert "longer than 65536 bytes" in fault(pour(b"HTTP/1.1 103 Early Hints\r\n\r\n", b"")).why


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\nhello", "a 204 has no body, but 5 bytes followed"),
        (b"HTTP/1.1 103 E\r\n\r\nHTTP/1.1 204 N\r\n\r\nhey", "a 204 has no body, but 3 bytes followed"),
        (b"HTTP/1.1 304 N\r\nContent-Length: 2\r\n\r\nhi", "a 304 has no body, but 2 bytes followed"),
        (answer(b"a") + b"more", "bytes came after the end of the response"),
        (b"\0\0\x12\x04\0\0\0\0\0" + bytes(18), "the server speaks HTTP/2"),
        (b"\0\0\x08\x07\0\0\0\0\0" + bytes(8), "the server speaks HTTP/2"),
        (b"\x15\x03\x01\0\x02\x02\x46", "the server speaks TLS (https)"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not begin with HTTP/, but with 'SSH-2.0"),
        (b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "changed to another protocol"),
    ],
)
def test_what_is_no_response_is_said_in_words_that_help(sent: bytes, why: str) -> None:
    error = fault(sent)
    assert error.malformed
    assert why in error.why
    assert "Expected HTTP/" not in error.why or "SSH" in error.why


def test_a_connection_that_ends_too_early() -> None:
    assert fault(b"").closed
    assert fault(Peer.reset).closed
    assert fault(answer(b"body")[:-2]).why == "the connection ended after 53 bytes of the response".replace(
        "53", str(len(answer(b"body")) - 2)
    )


def test_a_request_that_cannot_be_sent_is_a_fault_of_its_own() -> None:
    with pytest.raises(LoadError, match="cannot be sent as it stands"):
        exchange(Target.parse("http://127.0.0.1:1"), Request(path="/a b"), timeout_s=1)


MEMORY = """
import sys
from pathlib import Path
from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.http1.exchange import exchange
from pytest_webbench.load.http1.judging import bytes_to_keep, judge_whole
from pytest_webbench.model.http import Answer, BodyRule, Request
right = Answer(rule=BodyRule.JSON, json={"n": 1})
def peak_kib():  # that of getrusage may be the peak of the process that started this one
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
before = peak_kib()
response = exchange(Target.parse(sys.argv[1]), Request(), timeout_s=120, keep=bytes_to_keep(right))
fault = judge_whole(right, response)
print(peak_kib() - before, fault.why)
"""
BLOCK = gzip.compress(bytes(2**20))


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 10737418240\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % (20 * len(BLOCK)),
    ],
    ids=["announced", "until it ends", "endless bomb", "bomb"],
)
def test_what_is_read_has_a_bound_in_memory(head: bytes) -> None:
    def send(server: Server, peer: Peer, number: int) -> None:
        with suppress(OSError):
            peer.send(head)
            if head.endswith(b"%d\r\n\r\n" % (20 * len(BLOCK))):
                peer.send(BLOCK * 20)
                return
            while True:
                peer.send(BLOCK * 64)

    with Server(send) as server:
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, server.url],
            capture_output=True,
            text=True,
            check=True,
            timeout=240,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30)),
        )
    grown_kib, why = done.stdout.split(" ", 1)
    assert int(grown_kib) < 40 * 2**10
    assert "bytes" in why


def test_a_server_that_speaks_tls_is_told_from_one_that_is_mute(tmp_path: Path) -> None:
    from pytest_webbench.load.http1.exchange import speaks_tls

    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")]
    subprocess.run([*made, *files], check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")

    def shake(peer: Peer) -> None:
        peer.socket = context.wrap_socket(peer.socket, server_side=True)

    with Server(lambda server, peer, number: peer.close(), greeting=shake) as server:
        assert speaks_tls(Target.parse(server.url), timeout_s=30)
    with Server(lambda server, peer, number: peer.close(), greeting=Peer.close) as server:
        assert not speaks_tls(Target.parse(server.url), timeout_s=30)
