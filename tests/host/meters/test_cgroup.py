"""The accounts of control groups, in the forms that the kernel writes them in."""

from pathlib import Path

import pytest

from pytest_webbench.host.meters.cgroup import CgroupMeter, MemoryPeak, folder_reader, folders_of

V1 = {
    "cpuacct/cpuacct.usage": "{cpu_ns}",
    "cpu/cpu.stat": "nr_periods 10\nnr_throttled 2\nthrottled_time {throttled_ns}",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill {oom}",
    "memory/memory.max_usage_in_bytes": "{peak}",
}
V2 = {
    "cpu.stat": "usage_usec {cpu_us}\nuser_usec 1\nsystem_usec 1\nthrottled_usec {throttled_us}",
    "memory.events": "low 0\nhigh 0\nmax 0\noom 1\noom_kill {oom}",
    "memory.peak": "{peak}",
}


def _write(
    root: Path, layout: dict[str, str], *, cpu_s: float, throttled_s: float, oom: int, peak: int
) -> None:
    numbers = {
        "cpu_ns": int(cpu_s * 1e9),
        "cpu_us": int(cpu_s * 1e6),
        "throttled_ns": int(throttled_s * 1e9),
        "throttled_us": int(throttled_s * 1e6),
        "oom": oom,
        "peak": peak,
    }
    for name, text in layout.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.format(**numbers) + "\n")


def _folders(root: Path, layout: dict[str, str]) -> dict[str, Path]:
    if layout is V2:
        return {"cpu": root, "memory": root}
    return {name: root / name for name in ("cpu", "cpuacct", "memory")}


@pytest.mark.parametrize("layout", [V1, V2], ids=["v1", "v2"])
def test_what_is_used_is_the_difference(tmp_path: Path, layout: dict[str, str]) -> None:
    folders = _folders(tmp_path, layout)
    meter = CgroupMeter(folder_reader(folders), MemoryPeak(folders["memory"]))
    _write(tmp_path, layout, cpu_s=1.5, throttled_s=0.25, oom=1, peak=9999)
    meter.begin()
    _write(tmp_path, layout, cpu_s=4.0, throttled_s=1.0, oom=3, peak=4096)
    usage = meter.end()
    assert usage.cpu_s == pytest.approx(2.5)
    assert usage.throttled_s == pytest.approx(0.75)
    assert usage.oom_kills == 2
    assert usage.peak_rss_bytes == 4096


def test_the_mark_is_set_back(tmp_path: Path) -> None:
    (tmp_path / "memory.peak").write_text("123456\n")
    peak = MemoryPeak(tmp_path)
    peak.set_back()
    peak.close()
    assert (tmp_path / "memory.peak").read_text().startswith("0")


def test_a_peak_that_cannot_be_set_back_is_left_out(tmp_path: Path) -> None:
    _write(tmp_path, V2, cpu_s=1, throttled_s=0, oom=0, peak=1)
    folders = _folders(tmp_path, V2)
    meter = CgroupMeter(folder_reader(folders), MemoryPeak(tmp_path / "elsewhere"))
    meter.begin()
    assert meter.end().peak_rss_bytes is None


def test_accounts_that_are_missing_are_not_known(tmp_path: Path) -> None:
    meter = CgroupMeter(folder_reader({"cpu": tmp_path}))
    meter.begin()
    usage = meter.end()
    assert (usage.cpu_s, usage.throttled_s, usage.oom_kills) == (None, None, None)


def test_the_folders_of_version_1(tmp_path: Path) -> None:
    proc, root = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "7").mkdir(parents=True)
    (proc / "7" / "cgroup").write_text("4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n")
    for name in ("memory", "cpu,cpuacct"):
        (root / name / "docker" / "abc").mkdir(parents=True)
    folders = folders_of(7, proc=proc, root=root)
    assert folders["memory"] == root / "memory/docker/abc"
    assert folders["cpu"] == folders["cpuacct"] == root / "cpu,cpuacct/docker/abc"


def test_the_folders_of_version_2(tmp_path: Path) -> None:
    proc, root = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "7").mkdir(parents=True)
    (proc / "7" / "cgroup").write_text("0::/system.slice/docker-abc.scope\n")
    folders = folders_of(7, proc=proc, root=root)
    assert folders["cpu"] == folders["memory"] == root / "system.slice/docker-abc.scope"


def test_a_process_that_is_not_here_has_no_folders(tmp_path: Path) -> None:
    assert folders_of(7, proc=tmp_path) == {}
