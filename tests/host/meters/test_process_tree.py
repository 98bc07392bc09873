"""What a tree of processes used, against what the processes say of themselves."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_webbench.host.meters.process_tree import ProcessTreeMeter
from pytest_webbench.model.measurement import Readings, ServerUsage
from pytest_webbench.model.stack import NoMeter

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's accounts are Linux's")
MIB = 1 << 20

CHILD = """
import json, os, resource, subprocess, sys, threading, time

def burn(seconds):
    begun = time.process_time()
    while time.process_time() - begun < seconds:
        sum(range(1000))

def used():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime

def allocate(mebibytes):
    block = bytearray(mebibytes << 20)
    block[::4096] = b"x" * len(block[::4096])

workers = []

def tell(worker, *words):
    print(json.dumps(words), file=worker.stdin, flush=True)
    return json.loads(worker.stdout.readline())

for line in sys.stdin:
    match json.loads(line):
        case ["burn", seconds]:
            before = used()
            burn(seconds)
            answer = used() - before
        case ["burn in a thread", seconds]:
            before = used()
            thread = threading.Thread(target=burn, args=(seconds,))
            thread.start()
            thread.join()
            answer = used() - before
        case ["allocate", mebibytes]:
            allocate(mebibytes)
            answer = None
        case ["start worker"]:
            worker = subprocess.Popen(
                [sys.executable, sys.argv[0]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            workers.append(worker)
            answer = tell(worker, "hello")
        case ["end worker"]:
            worker = workers.pop()
            worker.stdin.close()
            answer = worker.wait()
            worker.stdout.close()
        case ["worker", *words]:
            answer = tell(workers[-1], *words)
        case ["hello"]:
            answer = os.getpid()
    print(json.dumps(answer), flush=True)
"""


class Child:
    """A process that obeys orders, and reports when it is done and its usage."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.pid = process.pid

    def tell(self, *words: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@pytest.fixture
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    program = tmp_path_factory.mktemp("child") / "child.py"
    program.write_text(CHILD)
    with subprocess.Popen(
        [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        child = Child(process)
        child.tell("hello")
        yield child
        assert process.stdin is not None
        process.stdin.close()
        process.wait(60)


def metered(child: Child, *orders: tuple[object, ...]) -> tuple[Readings, list[Any]]:
    """What the meter says of ``orders``, and what the child says of each."""
    meter = ProcessTreeMeter(child.pid)
    meter.begin()
    answers = [child.tell(*order) for order in orders]
    return meter.end(), answers


def test_processor_time_of_a_process_and_its_children(child: Child) -> None:
    child.tell("start worker")
    child.tell("burn", 0.1)  # before the meter begins: not counted
    usage, used = metered(child, ("burn", 0.2), ("worker", "burn", 0.3))
    assert usage.cpu_s == pytest.approx(sum(used), rel=0.1, abs=0.03)
    assert usage.replaced is False


@linux
def test_processor_time_of_threads_that_have_ended(child: Child) -> None:
    usage, (used,) = metered(child, ("burn in a thread", 0.2))
    assert usage.cpu_s == pytest.approx(used, rel=0.1, abs=0.03)


def test_a_process_that_does_nothing_uses_next_to_nothing(child: Child) -> None:
    usage, _ = metered(child, ("hello",))
    assert usage.cpu_s == pytest.approx(0, abs=0.02)


@linux
def test_peak_memory_is_that_of_the_load_alone_and_summed_over_the_processes(child: Child) -> None:
    child.tell("start worker")
    child.tell("allocate", 400)  # before the meter begins: not counted
    usage, _ = metered(child, ("allocate", 60), ("worker", "allocate", 90))
    assert usage.peak_rss_bytes is not None
    assert 150 * MIB < usage.peak_rss_bytes < 300 * MIB


def test_a_worker_that_ends_is_noticed_and_its_time_counted(child: Child) -> None:
    child.tell("start worker")
    child.tell("worker", "burn", 0.4)  # before the meter begins: not counted
    usage, (used, _) = metered(child, ("worker", "burn", 0.2), ("end worker",))
    assert usage.replaced is True
    assert usage.cpu_s == pytest.approx(used, rel=0.2, abs=0.06)


def test_a_worker_that_appears_is_noticed_and_its_time_counted(child: Child) -> None:
    usage, (_, used) = metered(child, ("start worker",), ("worker", "burn", 0.2))
    assert usage.replaced is True
    assert usage.cpu_s is not None
    assert usage.cpu_s >= used * 0.9


def test_a_worker_that_takes_anothers_place_is_noticed(child: Child) -> None:
    child.tell("start worker")
    usage, _ = metered(child, ("end worker",), ("start worker",))
    assert usage.replaced is True


def test_a_server_that_ended_has_no_figures(child: Child) -> None:
    meter = ProcessTreeMeter(child.pid)
    meter.begin()
    child._process.kill()
    child._process.wait(60)
    usage = meter.end()
    assert usage == ServerUsage(cpu_s=None, peak_rss_bytes=usage.peak_rss_bytes, replaced=True)


def test_a_meter_can_be_begun_again(child: Child) -> None:
    meter = ProcessTreeMeter(child.pid)
    meter.begin()
    child.tell("burn", 0.2)
    meter.end()
    meter.begin()
    used = child.tell("burn", 0.1)
    assert meter.end().cpu_s == pytest.approx(used, rel=0.1, abs=0.03)


def test_no_meter_knows_nothing_or_what_it_is_given() -> None:
    assert NoMeter().end() == ServerUsage(cpu_s=None, peak_rss_bytes=None, replaced=False)
    assert NoMeter(ServerUsage(cpu_s=1.0)).end() == ServerUsage(cpu_s=1.0)
