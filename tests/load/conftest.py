"""What several modules look at: engines whose processes take seconds to start."""

from collections.abc import Iterator

import pytest

from pytest_webbench.load.locust import LocustEngine


@pytest.fixture(scope="session")
def locust_engine() -> Iterator[LocustEngine]:
    """Two workers, which serve all the tests that leave them alive."""
    engine = LocustEngine(workers=2)
    yield engine
    engine.close()
