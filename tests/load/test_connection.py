"""What a connection does that no server of a test can bring about."""

import asyncio
import socket

import pytest

from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.http1.judging import PreparedRequest, PreparedRequests
from pytest_webbench.load.http1.wire import encode
from pytest_webbench.load.native.connection import Connection
from pytest_webbench.load.tally import Tally

from .loads import HELLO, make_load


class Nobody:
    """Owns a connection and does nothing."""

    def connection_opened(self) -> None: ...

    def connection_rested(self, now: int) -> None:
        pass

    def connection_ended(self, now: int, *, served: bool, failed: bool) -> None: ...

    def connection_closed(self) -> None: ...


@pytest.mark.parametrize("itself", [False, True])
def test_a_connection_with_itself_is_none(itself: bool) -> None:
    with socket.socket() as sock:
        here, there = ("127.0.0.1", 50000), ("127.0.0.1", 50000 if itself else 8000)
        transport = asyncio.Transport({"socket": sock, "sockname": here, "peername": there})
        wire = encode(HELLO.request, Target(host="127.0.0.1", port=8000))
        connection = Connection(
            PreparedRequests([PreparedRequest(HELLO, wire)]), Tally(make_load(requests=1)), Nobody()
        )
        connection.connection_made(transport)
        if itself:
            with pytest.raises(ConnectionRefusedError):
                connection.refuse_itself()
        else:
            connection.refuse_itself()
