"""The load reaches all workers of a server, and not one alone."""

from pathlib import Path

import psutil
import pytest

from pytest_webbench.load.native.engine import NativeEngine
from pytest_webbench.model.load import Amount, Load
from pytest_webbench.model.stack import VERSION_SETS
from pytest_webbench.session.definitions.registry import with_versions
from pytest_webbench.stacks.environment import default_cache
from pytest_webbench.stacks.process import ProcessLauncher
from pytest_webbench.suites.items import STACKS

TRIES = 5


@pytest.mark.alone
def test_ten_users_are_shared_by_two_workers(tmp_path: Path) -> None:
    (stack,) = (stack for stack in STACKS if stack.name == "fastapi-sqlite3")
    stack = with_versions(stack, VERSION_SETS["current"])
    load = Load(users=10, amount=Amount(requests=2000), exchanges=(stack.ready,))
    engine = NativeEngine()
    shares = []
    try:
        with ProcessLauncher(cache=default_cache(), logs=tmp_path).start(stack) as running:
            workers = psutil.Process(running.process.pid).children()
            for _ in range(TRIES):
                before = [_cpu_s(worker) for worker in workers]
                engine.run(load, running.base_url)
                used = [_cpu_s(worker) - was for worker, was in zip(workers, before, strict=True)]
                shares.append(min(used) / sum(used))
    finally:
        engine.close()
    # A burst of connections goes to one worker every time; apart, they rarely do.
    assert max(shares) > 0.2, shares


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
