"""What is written down of this machine."""

import platform
from pathlib import Path

import psutil
import pytest

from pytest_webbench.host import machine
from pytest_webbench.host.machine import MachineMeter, describe_machine


def test_this_machine_has_processors_memory_and_a_system() -> None:
    found = describe_machine()
    assert found.cores
    assert found.memory_bytes
    assert found.system
    assert found.python.startswith("3.")


def test_the_name_of_the_machine_is_not_recorded() -> None:
    assert platform.node() not in str(describe_machine()).split("'")


def test_where_the_system_tells_nothing_nothing_is_claimed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("CPUINFO", "GOVERNOR", "HYPERVISOR", "VENDOR"):
        monkeypatch.setattr(machine, name, tmp_path / "nothing")
    found = describe_machine()
    assert found.governor is None
    assert found.virtualised is None


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("VENDOR", "QEMU\n", "QEMU"),
        ("VENDOR", "Dell Inc.\n", None),
        ("HYPERVISOR", "xen\n", "xen"),
        ("CPUINFO", "flags\t\t: fpu hypervisor sse\n", "a hypervisor"),
    ],
)
def test_what_hints_at_a_virtual_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: str, content: str, expected: str | None
) -> None:
    for name in ("CPUINFO", "HYPERVISOR", "VENDOR"):
        monkeypatch.setattr(machine, name, tmp_path / "nothing")
    given = tmp_path / "given"
    given.write_text(content)
    monkeypatch.setattr(machine, file, given)
    assert describe_machine().virtualised == expected


class Times:
    """What psutil says: a named tuple with the kinds of its system."""

    def __init__(self, **kinds: float) -> None:
        self._kinds = kinds

    def _asdict(self) -> dict[str, float]:
        return self._kinds


def test_busy_is_all_work_and_steal_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    told = iter(
        [
            Times(
                user=1.0,
                system=1.0,
                nice=0.0,
                irq=0.0,
                softirq=0.5,
                idle=9.0,
                iowait=1.0,
                steal=0.2,
                guest=1.0,
            ),
            Times(
                user=2.0,
                system=1.5,
                nice=0.1,
                irq=0.0,
                softirq=0.6,
                idle=9.9,
                iowait=2.0,
                steal=0.5,
                guest=2.0,
            ),
        ]
    )
    monkeypatch.setattr(psutil, "cpu_times", lambda: next(told))
    usage = MachineMeter().end()
    assert usage.busy_s == pytest.approx(1.7)
    assert usage.steal_s == pytest.approx(0.3)
    assert usage.elapsed_s is not None


def test_a_system_without_steal_knows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "cpu_times", lambda: Times(user=1.0, system=1.0))
    assert MachineMeter().end().steal_s is None


def test_a_system_that_does_not_tell_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Times:
        raise OSError

    monkeypatch.setattr(psutil, "cpu_times", refuse)
    usage = MachineMeter().end()
    assert (usage.busy_s, usage.steal_s) == (None, None)
