"""Which engine makes the load, and what each lacks."""

import pytest

from pytest_webbench.load.engine import make_engine
from pytest_webbench.load.native.engine import NativeEngine
from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.load import Arrivals
from pytest_webbench.model.settings import Rates, Settings
from pytest_webbench.session.options.conflicts import refuse_conflicts


def test_the_native_engine_is_the_default() -> None:
    assert isinstance(make_engine(Settings()), NativeEngine)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(engine="k6", generators=2), "--webbench-generators is for the native engine"),
        (Settings(engine="locust", generators=2), "--webbench-load-workers"),
        (Settings(load_bind="127.0.0.1:5557"), "--webbench-engine=locust"),
        (Settings(engine="k6", load_master="127.0.0.1:5557"), "--webbench-engine=locust"),
        (Settings(engine="locust", load_bind="a:1", load_master="b:1"), "leave one of the two out"),
        (Settings(engine="k6", rates=Rates(arrivals=Arrivals.POISSON)), "k6 has constant arrivals only"),
    ],
)
def test_an_option_that_the_engine_does_not_know_is_refused(settings: Settings, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        refuse_conflicts(settings)
    assert said in str(caught.value)
