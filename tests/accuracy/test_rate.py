"""The rate of a closed loop against arithmetic."""

from statistics import fmean

import pytest

from .measuring import make_load, run
from .noise import attempted
from .running import Program

USERS = 20
DELAY_S = 0.4
ROUNDS = 12


@pytest.mark.parametrize("generators", [1, 2])
def test_users_over_delay_requests_a_second(generators: int) -> None:
    """Each user asks once a delay. The delay is that of the server's log: its timer counts in milliseconds.

    It is long, so that what comes on top of it, which is no part of the arithmetic, is far below the bound:
    about half a millisecond for twenty requests that a server and a generator deal with one by one.
    """

    def measure() -> tuple[object, object]:
        with Program("delaying", DELAY_S, 0) as server:
            result = run(make_load(users=USERS, requests=USERS * ROUNDS), server.url, generators=generators)
            delay_s = fmean(server.account()["spent_ns"]) / 1e9
        rate = result.ok / result.elapsed_s
        assert rate <= USERS / delay_s
        return rate, pytest.approx(USERS / delay_s, rel=0.02)

    seen, expected = attempted(measure)
    assert seen == expected
