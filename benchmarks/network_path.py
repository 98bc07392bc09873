"""The same stack as a process, in a container without a proxy, and behind a published port.

    python benchmarks/network_path.py [STACK ...]

Each block launches the stack anew in each way and measures ``hello`` once, in a random order; ratios are
paired block by block. It prints a table in Markdown. Requires a container engine.
"""

import random
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from pytest_webbench.analysis.metrics import time_per_request_s
from pytest_webbench.analysis.statistics import mean_interval, ratio_interval
from pytest_webbench.load.native.engine import NativeEngine
from pytest_webbench.model.load import Amount
from pytest_webbench.model.plan import PROFILES, Cell, Trial
from pytest_webbench.model.stack import VERSION_SETS, Launcher, Stack
from pytest_webbench.runs.trial import TrialRunner
from pytest_webbench.session.definitions.registry import with_versions
from pytest_webbench.stacks.container import ContainerLauncher
from pytest_webbench.stacks.docker.engine import connect
from pytest_webbench.stacks.environment import default_cache
from pytest_webbench.stacks.process import ProcessLauncher
from pytest_webbench.suites.items import SCENARIOS, STACKS, SUITE
from pytest_webbench.suites.items.stacks import DOCKERFILE

BLOCKS = 6
VERSIONS = VERSION_SETS["current"]


def main(names: list[str]) -> None:
    """Measure the stacks called ``names``."""
    engine = connect()
    logs = Path(tempfile.mkdtemp(prefix="webbench-logs-"))
    container = {"dockerfile": DOCKERFILE, "base_image": VERSIONS.base_image, "logs": logs}
    apart = replace(engine, shares_network=False)
    ways: dict[str, Launcher] = {
        "process": ProcessLauncher(cache=default_cache(), logs=logs),
        "container, host network": ContainerLauncher(engine, **container),  # type: ignore[arg-type]
        "container, published port": ContainerLauncher(apart, **container),  # type: ignore[arg-type]
    }
    print("| stack | way | req/s | 95 % interval | against the process |")
    print("| --- | --- | ---: | ---: | ---: |")
    with closing(NativeEngine()) as load:
        bench = TrialRunner(engine=load, profile=PROFILES["quick"], seed=1)
        for stack in STACKS:
            if stack.name in names:
                _print_rows(stack.name, _measure(with_versions(stack, VERSIONS), ways, bench))


def _measure(stack: Stack, ways: dict[str, Launcher], bench: TrialRunner) -> dict[str, list[float]]:
    """Return the seconds per request of each block, by way."""
    (hello,) = (each for each in SCENARIOS if each.name == "hello")
    hello = replace(hello, amount=Amount(duration_s=1.0))
    times: dict[str, list[float]] = {way: [] for way in ways}
    for launcher in ways.values():
        launcher.prepare(stack)
    for block in range(BLOCKS):
        for way in random.Random(block).sample(list(ways), len(ways)):
            with ways[way].start(stack) as running:
                for error in bench.make_ready(running, SUITE, SCENARIOS).values():
                    raise error
                trial = Trial(cell=Cell(scenario="hello", stack=stack.name), round=block)
                times[way].append(time_per_request_s(bench.measure(running, SUITE, hello, trial)))
    return times


def _print_rows(stack: str, times: dict[str, list[float]]) -> None:
    for way, values in times.items():
        rate = mean_interval(values).inverse()
        ratio = ratio_interval(times["process"], values)
        print(
            f"| {stack} | {way} | {rate.estimate:,.0f} | {rate.low:,.0f} - {rate.high:,.0f} "
            f"| {ratio.estimate:.2f} [{ratio.low:.2f}, {ratio.high:.2f}] |"
        )


if __name__ == "__main__":
    main(sys.argv[1:] or ["fastapi-sqlite3", "flask-sqlite3"])
