"""Which process holds which connection, against what the processes themselves say."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pytest_webbench.host.connections import held_connections
from pytest_webbench.host.meters.process_tree import process_tree

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

# The first process listens and forks two; each of the two accepts when it is told to, and says whom.
SERVER = """
import json, os, socket, sys

listener = socket.create_server((sys.argv[1], 0), family=getattr(socket, sys.argv[2]))
orders, others = [], []
for _ in range(2):
    reading, writing = os.pipe()
    if os.fork() == 0:
        held = []
        while os.read(reading, 1):
            connection, peer = listener.accept()
            held.append(connection)
            print(json.dumps([os.getpid(), peer[1]]), flush=True)
        os._exit(0)
    orders.append(writing)
print(json.dumps(listener.getsockname()[1]), flush=True)
for line in sys.stdin:
    os.write(orders[int(line)], b"x")
"""


class Forking:
    def __init__(self, host: str, family: str) -> None:
        command = [sys.executable, "-c", SERVER, host, family]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.host = host
        self.port = int(self.read())
        self.clients: list[socket.socket] = []

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def connect(self) -> int:
        """The port of a new client, whom nobody has accepted yet."""
        self.clients.append(socket.create_connection((self.host, self.port)))
        return int(self.clients[-1].getsockname()[1])

    def accept(self, child: int) -> tuple[int, int]:
        """Have ``child`` accept: its process id, and the port of the client."""
        assert self.process.stdin is not None
        print(child, file=self.process.stdin, flush=True)
        pid, port = json.loads(self.read())
        return pid, port


@pytest.fixture(params=[("127.0.0.1", "AF_INET"), ("::1", "AF_INET6")], ids=["IPv4", "IPv6"])
def server(request: pytest.FixtureRequest) -> Iterator[Forking]:
    try:
        forking = Forking(*request.param)
    except ValueError:
        pytest.skip("this machine has no such address")
    yield forking
    for client in forking.clients:
        client.close()
    os.killpg(forking.process.pid, signal.SIGKILL)
    forking.process.communicate()


def test_each_connection_has_the_process_that_accepted_it(server: Forking) -> None:
    seen = {}
    for child in (0, 1, 1):
        server.connect()
        pid, port = server.accept(child)
        seen[port] = pid
    held = held_connections(server.process.pid, server.port)
    assert held is not None
    assert held.by_port == seen
    assert set(held.processes) == set(seen.values())


def test_the_first_process_takes_none_though_it_listens(server: Forking) -> None:
    held = held_connections(server.process.pid, server.port)
    assert held is not None
    assert set(held.processes) == set(process_tree(server.process.pid)) - {server.process.pid}
    assert len(held.processes) == 2
    assert held.by_port == {}


def test_a_connection_that_waits_has_no_holder(server: Forking) -> None:
    waiting = server.connect()
    held = held_connections(server.process.pid, server.port)
    assert held is not None
    assert waiting not in held.by_port


def test_a_single_process_holds_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client, listener.accept()[0]:
            held = held_connections(os.getpid(), port)
            assert held is not None
            assert held.processes == (os.getpid(),)
            assert held.by_port == {client.getsockname()[1]: os.getpid()}


def test_nothing_is_seen_of_who_does_not_listen_or_has_ended() -> None:
    assert held_connections(os.getpid(), 1) is None
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
        assert held_connections(ended.pid, 1) is None
        assert process_tree(ended.pid) == {}


def test_a_tree_names_parents() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        tree = process_tree(os.getpid())
        assert tree[os.getpid()] == 0
        assert tree[parent.pid] == os.getpid()
        assert parent.pid in {tree[child] for child in tree}
        parent.communicate(b"\n")
