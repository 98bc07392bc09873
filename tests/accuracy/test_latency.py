"""Percentiles against the log of a server that takes its time."""

import pytest

from pytest_webbench.analysis.statistics import percentiles
from pytest_webbench.model.load import Arrivals, Load

from .measuring import make_load, nearest_rank, run, within_the_bound
from .noise import attempted
from .running import Program

MEDIAN_S = 0.2
SIGMA = 0.5
SHARES = (0.5, 0.9, 0.99)
CLOSED = make_load(users=125, requests=1000)
OPEN = make_load(users=100, requests=400, rate=200, arrivals=Arrivals.POISSON)
"""About 45 under way at once: far from all connections."""


@pytest.mark.parametrize("generators", [1, 2])
@pytest.mark.parametrize("load", [CLOSED, OPEN], ids=["closed loop", "open loop"])
def test_percentiles_are_those_of_the_servers_log(load: Load, generators: int) -> None:
    def measure() -> tuple[object, object]:
        with Program("delaying", MEDIAN_S, SIGMA) as server:
            result = run(load, server.url, generators=generators)
            spent_ns = server.account()["spent_ns"]
        assert len(result.latency_ns) == len(spent_ns) == load.amount.requests
        # Regardless of the machine, no request can have taken less than the server spent on it.
        pairs = zip(sorted(result.latency_ns.samples), sorted(spent_ns), strict=True)
        assert all(latency >= spent for latency, spent in pairs)
        seen_s = [value / 1e9 for value in percentiles([result.latency_ns], SHARES)]
        return seen_s, [within_the_bound(nearest_rank(spent_ns, share) / 1e9) for share in SHARES]

    seen, expected = attempted(measure)
    assert seen == expected
