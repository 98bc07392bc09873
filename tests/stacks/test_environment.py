"""The environment of a stack: made once from its lock, whole or not at all."""

import base64
import hashlib
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_webbench.model.errors import InstallError
from pytest_webbench.model.stack import Stack
from pytest_webbench.stacks import environment
from pytest_webbench.stacks.environment import ensure_environment, installed_versions
from pytest_webbench.stacks.process import ProcessLauncher
from tests.stacks.conftest import MakeStack

WHEEL = "Tiny_Package-1.5-py3-none-any.whl"


def make_wheel(folder: Path) -> Path:
    """A distribution with one module, as pip and uv install them."""
    files = {
        "tiny_package.py": b"VALUE = 5\n",
        "tiny_package-1.5.dist-info/METADATA": b"Metadata-Version: 2.1\nName: Tiny_Package\nVersion: 1.5\n",
        "tiny_package-1.5.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "tiny_package-1.5.dist-info/RECORD"
    lines = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in files.items()]
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        for name, content in files.items():
            wheel.writestr(name, content)
        wheel.writestr(record, "\n".join([*lines, f"{record},,", ""]))
    return folder / WHEEL


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


@pytest.fixture
def stack(make_stack: MakeStack) -> Stack:
    """A stack whose lock pins one distribution, by its hash."""
    stack = make_stack(lock="app.lock")
    write_lock(stack)
    return stack


def write_lock(stack: Stack, *, digest: str | None = None, comment: str = "") -> None:
    wheel = make_wheel(stack.folder)
    digest = digest or hashlib.sha256(wheel.read_bytes()).hexdigest()
    text = f"{comment}tiny-package @ {wheel.as_uri()} --hash=sha256:{digest}\n"
    (stack.folder / "app.lock").write_text(text)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def forbid_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        pytest.fail(f"uv was run: {arguments}")

    monkeypatch.setattr(environment, "_uv", refuse)


def value_in(python: Path) -> str:
    """What the locked distribution says in the environment of ``python``."""
    command = [str(python), "-I", "-c", "import tiny_package; print(tiny_package.VALUE)"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_an_environment_holds_what_the_lock_pins_and_nothing_else(stack: Stack, cache: Path) -> None:
    python = ensure_environment(stack, cache)
    assert python.is_relative_to(cache / "environments")
    assert value_in(python) == "5"
    version = ".".join(map(str, sys.version_info[:3]))
    assert installed_versions(python) == {"python": version, "tiny-package": "1.5"}


def test_the_second_time_nothing_is_installed(
    stack: Stack, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = ensure_environment(stack, cache)
    forbid_uv(monkeypatch)
    assert ensure_environment(stack, cache) == python


def test_two_commits_of_a_stack_with_one_lock_share_an_environment(stack: Stack, cache: Path) -> None:
    python = ensure_environment(stack, cache)
    assert ensure_environment(replace(stack, name="tiny@base"), cache) == python


def test_another_lock_has_another_environment(stack: Stack, cache: Path) -> None:
    one = ensure_environment(stack, cache)
    write_lock(stack, comment="# locked again\n")
    other = ensure_environment(stack, cache)
    assert one != other
    assert value_in(one) == value_in(other) == "5"


def test_a_wrong_hash_installs_nothing(stack: Stack, cache: Path) -> None:
    write_lock(stack, digest="0" * 64)
    with pytest.raises(InstallError) as caught:
        ensure_environment(stack, cache)
    error = caught.value
    assert error.message == "the lock of tiny does not install (app.lock; uv ended with code 1)"
    assert "Hash mismatch" in error.evidence
    assert f"sha256:{'0' * 64}" in error.evidence
    assert error.hint == (
        "lock again for this Python (uv pip compile --universal --generate-hashes), "
        "or see whether the package index is reachable"
    )
    write_lock(stack)
    assert value_in(ensure_environment(stack, cache)) == "5"


def test_a_requirement_without_a_hash_is_refused(stack: Stack, cache: Path) -> None:
    (stack.folder / "app.lock").write_text(f"tiny-package @ {(stack.folder / WHEEL).as_uri()}\n")
    with pytest.raises(InstallError, match=r"^the lock of tiny does not install"):
        ensure_environment(stack, cache)


def test_a_lock_that_is_not_there(make_stack: MakeStack, cache: Path) -> None:
    stack = make_stack(lock="absent.lock")
    with pytest.raises(InstallError) as caught:
        ensure_environment(stack, cache)
    assert caught.value.message == (
        f"the lock of tiny cannot be read: {stack.folder / 'absent.lock'} (No such file or directory)"
    )
    assert caught.value.hint == ("make it with uv pip compile --generate-hashes, or correct the stack's lock")
    assert not cache.exists()


def test_an_environment_that_was_left_half_made_is_made_again(stack: Stack, cache: Path) -> None:
    python = ensure_environment(stack, cache)
    folder = python.parents[1]
    (folder / "webbench-complete").unlink()
    (module,) = folder.glob("lib/*/site-packages/tiny_package.py")
    module.unlink()
    assert ensure_environment(stack, cache) == python
    assert value_in(python) == "5"


def test_an_installation_that_is_interrupted_leaves_nothing_that_is_used(
    stack: Stack, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = environment._uv

    def interrupt(stack: Stack, folder: Path, *arguments: str) -> None:
        if "sync" in arguments:
            raise KeyboardInterrupt
        made(stack, folder, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(environment, "_uv", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ensure_environment(stack, cache)
    assert value_in(ensure_environment(stack, cache)) == "5"


def test_an_index_that_does_not_answer_is_told(
    stack: Stack, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "INSTALL_TIMEOUT_S", 0.001)
    with pytest.raises(InstallError) as caught:
        ensure_environment(stack, cache)
    assert str(caught.value) == (
        "the lock of tiny was not installed within 0.001 s\nNext step: is the package index reachable?"
    )


def test_without_a_lock_a_stack_runs_under_our_own_python(
    make_stack: MakeStack, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_uv(monkeypatch)
    assert ensure_environment(make_stack(), cache) == Path(sys.executable)
    assert not cache.exists()


def test_settings_of_the_project_around_do_not_change_what_is_installed(
    stack: Stack, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "uv.toml").write_text("this is no TOML")
    monkeypatch.chdir(project)
    assert value_in(ensure_environment(stack, cache)) == "5"


COUNTING_UV = """#!/bin/sh
echo call >> {calls}
exec {uv} "$@"
"""
ENSURE = """
import sys
from pathlib import Path
import uv
uv.find_uv_bin = lambda: sys.argv[3]
from pytest_webbench.stacks.environment import ensure_environment
from pytest_webbench.model.stack import Stack
stack = Stack(name="tiny", folder=Path(sys.argv[1]), command=(), lock="app.lock")
print(ensure_environment(stack, Path(sys.argv[2])))
"""


def test_several_runs_at_once_make_it_once(stack: Stack, cache: Path, tmp_path: Path) -> None:
    import uv

    calls, wrapper = tmp_path / "calls", tmp_path / "uv"
    wrapper.write_text(COUNTING_UV.format(calls=calls, uv=uv.find_uv_bin()))
    wrapper.chmod(0o755)
    command = [sys.executable, "-c", ENSURE, str(stack.folder), str(cache), str(wrapper)]
    runs = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    results = [run.communicate(timeout=120) for run in runs]
    assert {errors for _, errors in results} == {""}
    (python,) = {output.strip() for output, _ in results}
    assert value_in(Path(python)) == "5"
    assert calls.read_text().splitlines() == ["call"] * 2


def test_a_stack_is_launched_in_its_environment(make_stack: MakeStack, tmp_path: Path) -> None:
    from tests.stacks.conftest import APP

    stack = make_stack("import tiny_package\n" + APP, lock="app.lock", packages=("tiny-package",))
    write_lock(stack)
    launcher = ProcessLauncher(cache=tmp_path / "cache", logs=tmp_path / "logs")
    launcher.prepare(stack)
    with launcher.start(stack) as running:
        assert running.launch.versions["tiny-package"] == "1.5"
        output = running.execute(["-c", "import sys, tiny_package; print(sys.executable)"])
    assert output.decode().startswith(str(tmp_path / "cache"))
