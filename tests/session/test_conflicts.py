"""Options that do not go together, of launchers."""

import pytest

from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.settings import NamedUrl, Settings
from pytest_webbench.session.options.conflicts import refuse_conflicts


@pytest.mark.parametrize("limit", [{"cpus": 1.0}, {"memory_bytes": 2**28}])
def test_limits_without_containers_are_refused(limit: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="limit containers, and stacks would run as processes"):
        refuse_conflicts(Settings(launcher="process", **limit))  # type: ignore[arg-type]


def test_a_launcher_asked_for_by_name_is_not_replaced_by_a_url() -> None:
    settings = Settings(launcher="process", urls=(NamedUrl(name="mine", url="http://127.0.0.1:1"),))
    with pytest.raises(UsageError, match="leave one of the two out"):
        refuse_conflicts(settings)
