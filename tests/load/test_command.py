"""``python -m pytest_webbench.load``, in this process and as people run it, against servers that count."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import pytest_webbench
from pytest_webbench.load.command.run import main

from .servers import Peer, Server, answer

ROOT = Path(pytest_webbench.__file__).parents[1]
COMMAND = [sys.executable, "-m", "pytest_webbench.load"]
TIMES = ("mean_s", "p50_s", "p90_s", "p99_s", "p999_s", "max_s")
BODY = "grüße\r\n"


def say_body(server: Server, peer: Peer, number: int) -> None:
    peer.send(answer(BODY.encode()))


def run(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    """The command as people run it."""
    return subprocess.run(
        [*COMMAND, *map(str, words)], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT
    )


class Command:
    """The command in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def text(self, *words: str | Path, code: int = 0) -> str:
        assert main([*map(str, words)]) == code
        out, err = self._capsys.readouterr()
        assert err == ""
        return out

    def json(self, *words: str | Path, code: int = 0) -> dict[str, Any]:
        """What it says as JSON, which has no NaN."""
        read: dict[str, Any] = json.loads(self.text(*words, "--json", code=code), parse_constant=pytest.fail)
        return read


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.mark.parametrize("generators", [1, 2])
def test_its_counts_are_those_of_the_server(command: Command, generators: int) -> None:
    with Server(say_body) as server:
        said = command.json(server.url, "--requests", "300", "--users", "4", "--generators", f"{generators}")
        server.wait()
        assert (server.requests, server.connections) == (300, 4)
    size = len(answer(BODY.encode()))
    assert {name: said[name] for name in said if name not in TIMES} | {"warnings": []} == {
        "model": "closed loop",
        "rate": None,
        "arrivals": None,
        "seed": None,
        "users": 4,
        "generators": generators,
        "requests_sent": 300,
        "requests_ok": 300,
        "errors": {},
        "in_flight": 0,
        "scheduled": None,
        "dropped": None,
        "elapsed_s": said["elapsed_s"],
        "requests_per_s": pytest.approx(300 / said["elapsed_s"]),
        **{f"service_{name}": None for name in TIMES},
        "lag_s": None,
        "late": None,
        "percentile_error": 0.0,
        "draws_per_s": [pytest.approx(said["requests_per_s"])],
        "bytes_received": 300 * size,
        "bytes_per_s": pytest.approx(300 * size / said["elapsed_s"]),
        "connections_opened": 4,
        "generator_cpu_s": said["generator_cpu_s"],
        "generator_cpu_fraction": said["generator_cpu_fraction"],
        "examples": [],
        "warnings": [],
    }
    assert 0 < said["p50_s"] <= said["p90_s"] <= said["p99_s"] <= said["p999_s"] <= said["max_s"]
    assert 0 < said["mean_s"] <= said["max_s"] <= said["elapsed_s"]
    assert said["generator_cpu_s"] > 0
    assert said["generator_cpu_fraction"] > 0


def test_more_generators_than_users_are_not_claimed(command: Command) -> None:
    with Server(say_body) as server:
        assert (
            command.json(server.url, "--requests", "3", "--users", "1", "--generators", "4")["generators"]
            == 1
        )


def test_a_duration_ends_with_the_last_requests_in_flight(command: Command) -> None:
    with Server(say_body) as server:
        said = command.json(server.url, "--duration", "0.5", "--users", "3")
        server.wait()
        assert said["requests_ok"] <= server.requests <= said["requests_sent"]
    assert said["requests_sent"] == said["requests_ok"] + said["in_flight"]
    assert said["elapsed_s"] >= 0.5


def test_a_rate_makes_an_open_loop(command: Command) -> None:
    words = ("--rate", "200", "--requests", "60", "--users", "5", "--arrivals", "poisson", "--seed", "7")
    with Server(say_body) as server:
        said = command.json(server.url, *words)
        assert server.requests == 60
    assert (said["model"], said["rate"], said["arrivals"], said["seed"]) == ("open loop", 200, "poisson", 7)
    assert (said["requests_ok"], said["scheduled"], said["dropped"]) == (60, 60, 0)
    assert all(0 < said[f"service_{name}"] <= said[name] for name in TIMES)
    assert said["lag_s"] >= 0
    assert said["late"] >= 0


def test_failures_are_counted_by_class_and_shown(command: Command) -> None:
    def some_bad(server: Server, peer: Peer, number: int) -> None:
        peer.send(answer(b"no", status=503) if number % 5 == 0 else answer())

    with Server(some_bad) as server:
        said = command.json(f"{server.url}/a?b=c", "--requests", "100", code=1)
        assert server.requests == 100
    assert (said["requests_sent"], said["requests_ok"], said["errors"]) == (100, 80, {"wrong_status": 20})
    assert said["examples"] == ["GET /a?b=c: the status is 503, expected 200; the body is 'no' (20 times)"]


def test_a_host_that_refuses(command: Command) -> None:
    with Server(say_body) as server:
        url = server.url
        server.refuse()
        said = command.json(url, "--requests", "20", "--users", "2", code=1)
    assert (said["requests_sent"], said["requests_ok"]) == (20, 0)
    assert said["errors"] == {"connect_refused": 20}
    assert [said[name] for name in TIMES] == [None] * len(TIMES)
    assert said["requests_per_s"] == 0


def test_the_body_is_compared_byte_for_byte(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "expected.txt"
    file.write_bytes(BODY.encode())
    with Server(say_body) as server:
        for expected in (BODY, f"@{file}"):
            assert command.json(server.url, "--requests", "5", "--expect-body", expected)["requests_ok"] == 5
        said = command.json(server.url, "--requests", "5", "--expect-body", BODY.strip(), code=1)
    assert (said["requests_ok"], said["errors"]) == (0, {"wrong_body": 5})


def test_the_request_is_sent_as_given(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_bytes(b'{"name":\r\n"\xc3\xbc"}')
    seen: list[bytes] = []

    def keep(server: Server, peer: Peer, number: int) -> None:
        seen.append(peer.request)
        peer.send(answer(status=201))

    with Server(keep) as server:
        headers = ("--header", "X-Token: a: b", "--header", "accept:text/plain")
        words = ("--body", f"@{file}", *headers, "--expect-status", "201", "--requests", "1")
        command.json(f"{server.url}/items/?q=%20&r=/#part", *words)
        command.json(
            server.url, "--method", "PUT", "--body", "text", "--expect-status", "201", "--requests", "1"
        )
        host = server.url.removeprefix("http://")
    assert (
        seen[0]
        == (
            f"POST /items/?q=%20&r=/ HTTP/1.1\r\nHost: {host}\r\nUser-Agent: pytest-webbench\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(file.read_bytes())}\r\nX-Token: a: b\r\naccept: text/plain\r\n\r\n"
        ).encode()
        + file.read_bytes()
    )
    assert seen[1].startswith(b"PUT / HTTP/1.1\r\n")
    assert seen[1].endswith(b"\r\n\r\ntext")


def test_what_a_person_reads(command: Command) -> None:
    with Server(say_body) as server:
        closed = run(server.url, "--requests", "40")
        words = ("--requests", "40", "--rate", "400", "--users", "5", "--expect-body", "other")
        open_ = command.text(server.url, *words, code=1)
    assert (closed.returncode, closed.stderr) == (0, "")
    assert closed.stdout.startswith(
        f"GET {server.url}\nclosed loop, 50 connections, for 40 requests, 1 generator\n"
        "expected: status 200, any body\n\n"
        f"requests sent{'40':>35}\n  as expected{'40':>35}\n  in flight at the end{'0':>26}\n\n"
    )
    for name in ("requests", "received", "latency"):
        assert f"\n{name}, closed loop  " in closed.stdout
    assert f"\nms{'mean':>38}{'p50':>12}{'p90':>12}{'p99':>12}{'p99.9':>12}{'max':>12}\n" in closed.stdout
    assert "open loop at 400/s constant, 5 connections, for 40 requests" in open_
    assert f"\n  wrong_body{'40':>36}\n" in open_
    assert "no response was as expected, so there is no latency" in open_


U = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "the following arguments are required: URL"),
        (["127.0.0.1:9"], "'127.0.0.1:9' is not of the form http://host:port"),
        (["https://127.0.0.1"], "https is not supported: the generator speaks HTTP/1.1 without TLS"),
        (["http://[::1"], "cannot be read"),
        (["http://127.0.0.1:70000"], "its port is not a number from 1 to 65535"),
        (["unix:/run/app.sock"], "bind the server to 127.0.0.1 as well"),
        (["http+unix://%2Frun%2Fapp.sock/"], "Unix sockets are not supported"),
        ([f"{U}/ü"], "Next step: write the method in ASCII letters, and the path"),
        ([U, "--users", "0"], "'0' is not a whole number above 0"),
        ([U, "--requests", "1.5"], "'1.5' is not a whole number above 0"),
        ([U, "--requests", "1", "--duration", "1"], "not allowed with argument"),
        ([U, "--duration", "nan"], "'nan' is not a number above 0"),
        ([U, "--rate", "inf"], "'inf' is not a number above 0"),
        ([U, "--timeout", "-1"], "'-1' is not a number above 0"),
        ([U, "--rate", "5", "--arrivals", "never"], "invalid choice: 'never'"),
        ([U, "--seed", "1"], "give its --rate"),
        ([U, "--arrivals", "constant"], "give its --rate"),
        ([U, "--expect-status", "99"], "'99' is not a status"),
        ([U, "--header", "nothing"], "'nothing' is not of the form 'Name: value'"),
        ([U, "--header", "Content-Length: 3"], "Next step: leave it out"),
        ([U, "--method", "GET "], "cannot be sent as it stands"),
        ([U, "--body", "@no-such-file"], "'no-such-file' cannot be read: No such file"),
        ([U, "--expect-body", f"@{sys.executable}"], "bodies of bytes are not supported"),
        ([U, "--dur", "3"], "unrecognized arguments: --dur"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    usage, *rest = err.splitlines()
    assert usage == "usage: python -m pytest_webbench.load URL [options]"
    assert len(rest) == 1
    assert sentence in rest[0]


def test_a_mistake_is_told_by_the_program_without_a_traceback() -> None:
    done = run("nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[1:] == [
        "python -m pytest_webbench.load: error: argument URL: "
        "The address 'nowhere' is not of the form http://host:port; "
        "give an address such as http://127.0.0.1:8000"
    ]


def test_a_host_without_an_address(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["http://no-such-host.invalid/", "--json"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: The host 'no-such-host.invalid' has no address")


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    assert "python -m pytest_webbench.load http://127.0.0.1:8000/items --rate 500" in capsys.readouterr().out


def test_ctrl_c_ends_it_and_its_generators() -> None:
    asked = threading.Event()

    def tell(server: Server, peer: Peer, number: int) -> None:
        asked.set()
        peer.send(answer())

    with Server(tell) as server:
        words = [server.url, "--duration", "600", "--generators", "2"]
        with subprocess.Popen(
            [*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
        ) as command:
            assert asked.wait(60)
            command.send_signal(signal.SIGINT)
            out, err = command.communicate(timeout=60)
        server.wait()  # the generators have let go of all connections
    assert (command.returncode, out, err) == (130, "", "interrupted\n")
