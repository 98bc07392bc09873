"""The built-in suite: the five stacks and seven scenarios of Bednarz and Miłosz (2025)."""

from pathlib import Path

from pytest_webbench.model.load import Amount
from pytest_webbench.model.suite import Suite, WarmupStep
from pytest_webbench.suites.items.dataset import ItemsDataset
from pytest_webbench.suites.items.paper import PAPER
from pytest_webbench.suites.items.scenarios import SCENARIOS, examples
from pytest_webbench.suites.items.stacks import STACKS

__all__ = ["SCENARIOS", "STACKS", "SUITE"]

SUITE = Suite(
    name="items",
    contract=Path(__file__).with_name("openapi.yaml"),
    dataset=ItemsDataset(),
    examples=examples,
    # The paper: 20 users on GET for 10 s, then "a series of requests" for all records.
    warmup=(
        WarmupStep(scenario="hello", users=20, amount=Amount(duration_s=10.0)),
        WarmupStep(scenario="list_items", users=20, amount=Amount(requests=100)),
    ),
    published=(PAPER,),
)
