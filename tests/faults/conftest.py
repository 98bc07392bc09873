"""Whole runs of ``pytest --webbench``, each a process of its own, bounded in time."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from xml.etree import ElementTree

import pytest

from pytest_webbench.host.machine import PLACE

HERE = Path(__file__).parent
SERVER = "server.py"
FEW_PLUGINS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-p webbench -p benchmark"}
"""Those of the developer's environment take longer to load than a run takes."""


@dataclass(frozen=True, kw_only=True)
class Faced:
    """What a run made of the servers that it met; memory is that of its largest process."""

    exit_code: int
    text: str
    peak_mib: float
    folder: Path

    def failure(self, stack: str) -> str:
        """The first line of why the benchmark of ``stack`` failed; empty if it did not."""
        for case in ElementTree.parse(self.folder / "junit.xml").iter("testcase"):
            if case.attrib["name"] == f"ping[{stack}]":
                found = case.find("failure")
                return "" if found is None else f"{found.attrib['message']}\n{found.text}"
        raise AssertionError(f"{stack} was not tested:\n{self.text}")

    def rows(self) -> dict[str, dict[str, Any]]:
        """What would be a baseline: the rows of ``--benchmark-json`` by name."""
        file = self.folder / "rows.json"
        if not file.exists():
            return {}
        return {row["name"]: row for row in json.loads(file.read_text())["benchmarks"]}


class Face(Protocol):
    """``face({"name": "mood,argument=value"}, *words)``: a run against these, ``boxed`` in containers."""

    def __call__(
        self,
        moods: Mapping[str, str],
        *words: str,
        amount: Mapping[str, float] = ...,
        users: int = ...,
        timeout_s: float = ...,
        boxed: bool = ...,
    ) -> Faced: ...


def lay_out(folder: Path, moods: Mapping[str, str], **given: Any) -> None:
    """Make ``folder`` a project whose stacks are the server in these moods."""
    folder.mkdir(exist_ok=True)
    shutil.copy(HERE / "suite.py", folder / "conftest.py")
    shutil.copy(HERE / SERVER, folder)
    (folder / "pytest.ini").write_text("[pytest]\n")
    app = folder / "app"
    app.mkdir()
    shutil.copy(HERE / SERVER, app)
    (app / "current.lock").write_text("# no dependencies\n")
    (folder / "moods.json").write_text(json.dumps({"moods": moods, **given}))


def command(*words: str) -> list[str]:
    """``pytest --webbench`` with few rounds and short patience."""
    return [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "--webbench",
        "--webbench-profile=smoke",
        "--webbench-launcher=process",
        "--benchmark-json=rows.json",
        "--junitxml=junit.xml",
        *words,
    ]


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Face:
    def face(
        moods: Mapping[str, str],
        *words: str,
        amount: Mapping[str, float] = {"requests": 10},
        users: int = 2,
        timeout_s: float = 300,
        boxed: bool = False,
    ) -> Faced:
        folder = tmp_path_factory.mktemp("project")
        lay_out(folder, moods, amount=amount, users=users, boxed=boxed)
        stacks = [f"--webbench-stack={name}" for name in moods]
        watched = subprocess.run(
            [sys.executable, HERE / "watched.py", str(timeout_s), "out", *command(*stacks), *words],
            cwd=folder,
            stdout=subprocess.PIPE,
            env={**os.environ, **FEW_PLUGINS, PLACE: str(folder)},
            check=True,
        )
        return Faced(text=(folder / "out").read_text(), folder=folder, **json.loads(watched.stdout))

    return face
