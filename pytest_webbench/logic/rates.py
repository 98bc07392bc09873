"""A rate that every stack can serve, so that their response times can be compared."""

import math
from collections.abc import Mapping
from dataclasses import replace

from pytest_webbench.values.load import Amount
from pytest_webbench.values.scenario import Scenario

__all__ = ["COMMON_SHARE", "common_rate", "saturating"]

COMMON_SHARE = 0.5
"""Of what the slowest stack can serve: at half of its load a server queues little, and still works."""
SATURATING_USERS = 16
SATURATING_S = 0.8


def saturating(scenario: Scenario) -> Scenario:
    """``scenario`` as a closed loop that keeps every worker busy, for long enough to see the rate."""
    users = max(scenario.users, SATURATING_USERS)
    return replace(scenario, users=users, amount=Amount(duration_s=SATURATING_S), rate=None)


def common_rate(saturation: Mapping[str, float], share: float) -> float:
    """``share`` of the least of the stacks' saturation (requests per second), in two digits, cut off.

    Two digits, because the saturation is not known any better.
    """
    exact = min(saturation.values()) * share
    digit = 10.0 ** (math.floor(math.log10(exact)) - 1)
    return math.floor(exact / digit + 1e-9) * digit
