"""Each side of a comparison of commits loads its own copy, or is refused before anything is timed."""

import json
import os
import subprocess
import sys
import textwrap
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from pytest_webbench.model.errors import OwnCopyError
from pytest_webbench.model.stack import CopiedTree, OwnCopy, Stack
from pytest_webbench.stacks.process import ProcessLauncher, RunningProcess
from pytest_webbench.stacks.sources.git import Checkout
from pytest_webbench.stacks.sources.own_copy import LoadedFiles
from tests.flow.repository import commit, git

SERVER = """
import http.server, importlib, json, os, socket, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        found = None
        if self.path != "/":
            module = importlib.import_module(self.path[1:])
            found = [module.__file__, getattr(module, "SIDE", None)]
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

PREPARE = None
listener = socket.socket(fileno=int(sys.argv[1]))
listener.listen()
if "fork" in sys.argv and os.fork() == 0:
    sys.argv.remove("fork")
elif "fork" in sys.argv:
    os.wait()
server = http.server.HTTPServer(("", 0), Handler, bind_and_activate=False)
server.socket = listener
server.serve_forever()
"""
FINDER = """
import sys
from importlib.machinery import PathFinder
from importlib.util import spec_from_file_location

MAPPING = {mapping!r}

class _EditableFinder:
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if fullname in MAPPING:
            place = MAPPING[fullname] + "/__init__.py"
            return spec_from_file_location(fullname, place, submodule_search_locations=[MAPPING[fullname]])

def install():
    sys.meta_path.append(_EditableFinder)
"""


class Project:
    """A repository with a service and a library that it imports, and an environment inside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shared = folder / "libraries" / "src" / "shared"
        self.service = folder / "service"
        self.shared.mkdir(parents=True)
        self.service.mkdir()
        (self.shared / "__init__.py").write_text("SIDE = 'base'\n")
        (self.shared / "lazy.py").write_text("SIDE = 'base'\n")
        (self.service / "server.py").write_text(SERVER)
        (folder / ".gitignore").write_text(".venv/\n*.local.py\n")
        git(folder, "init", "--quiet", "--initial-branch=main")
        commit(folder, "base")
        (self.shared / "__init__.py").write_text("SIDE = 'head'\n")
        (self.shared / "lazy.py").write_text("SIDE = 'head'\n")
        venv.create(folder / ".venv", symlinks=True, with_pip=False)
        (self.site,) = (folder / ".venv").glob("lib/python*/site-packages")
        (self.site / "installed.py").write_text("SIDE = 'neither'\n")

    def add_pth(self, *lines: str) -> None:
        (self.site / "shared.pth").write_text("".join(f"{line}\n" for line in lines))

    def stack(self, *words: str, **changes: Any) -> Stack:
        python = str(self.folder / ".venv" / "bin" / "python")
        command = (python, *(words or ("server.py", "{fd}")))
        return Stack(**{"name": "shop", "folder": self.service, "command": command, **changes})


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


class Sides:
    """Launches both sides of a stack."""

    def __init__(self, launcher: ProcessLauncher, folder: Path) -> None:
        self._launcher = launcher
        self._folder = folder
        self.copies: dict[str, Stack] = {}

    @contextmanager
    def running(self, stack: Stack) -> Iterator[dict[str, RunningProcess]]:
        checkout = Checkout({stack.name: stack}, "main", self._folder)
        checkout.make()
        self.copies = {"base": checkout.bases[stack.name], "head": checkout.heads[stack.name]}
        with (
            self._launcher.start(self.copies["base"]) as base,
            self._launcher.start(self.copies["head"]) as head,
        ):
            yield {"base": base, "head": head}


@pytest.fixture
def sides(launcher: ProcessLauncher, tmp_path: Path) -> Sides:
    return Sides(launcher, tmp_path / "copies")


def load(running: RunningProcess, module: str) -> tuple[Path, Any]:
    """Have the server load ``module``: its file, and whose it is."""
    with urlopen(f"{running.base_url}/{module}", timeout=60) as response:
        file, side = json.load(response)
    return Path(file), side


def by_path(project: Project) -> Stack:
    project.add_pth(str(project.shared.parent))
    return project.stack()


def by_path_through_a_link(project: Project) -> Stack:
    link = project.folder.parent / "link"
    link.symlink_to(project.folder)
    project.add_pth(str(link / "libraries" / "src"))
    return project.stack()


def by_finder(project: Project) -> Stack:
    text = FINDER.format(mapping={"shared": str(project.shared)})
    (project.site / "__editable___shared_finder.py").write_text(text)
    project.add_pth("import __editable___shared_finder; __editable___shared_finder.install()")
    return project.stack()


def by_environment(project: Project) -> Stack:
    return project.stack(env=(("PYTHONPATH", str(project.shared.parent)),))


def by_a_relative_path(project: Project) -> Stack:
    return project.stack(env=(("PYTHONPATH", "../libraries/src"),))


def by_a_link_in_the_repository(project: Project) -> Stack:
    (project.service / "shared").symlink_to("../libraries/src/shared")
    commit(project.folder, "link")
    return project.stack()


WAYS = [
    by_path,
    by_path_through_a_link,
    by_finder,
    by_environment,
    by_a_relative_path,
]


@pytest.mark.parametrize("way", WAYS)
def test_each_side_loads_its_own_copy(project: Project, sides: Sides, way: Any) -> None:
    with sides.running(way(project)) as both:
        for side, running in both.items():
            file, whose = load(running, "shared")
            assert whose == side
            copy = sides.copies[side].folder.resolve().parent
            assert file.resolve() == copy / "libraries/src/shared/__init__.py"
            assert load(running, "installed")[0].parent == project.site
            running.verify()
            assert running.launch.notes == ()


def test_a_package_behind_a_link_is_that_of_the_copy(project: Project, sides: Sides) -> None:
    with sides.running(by_a_link_in_the_repository(project)) as both:
        for side, running in both.items():
            file, _ = load(running, "shared")
            assert file.resolve().is_relative_to(sides.copies[side].folder.resolve().parent)
            running.verify()


def test_a_program_that_is_given_by_its_whole_path_is_that_of_the_copy(
    project: Project, sides: Sides
) -> None:
    (project.service / "server.py").write_text(SERVER.replace("PREPARE = None", "SIDE = 'head'"))
    with sides.running(project.stack(str(project.service / "server.py"), "{fd}")) as both:
        for side, running in both.items():
            running.verify()
            assert load(running, "__main__")[1] == (None if side == "base" else "head")


def linked(project: Project) -> None:
    (project.site / "shared").symlink_to(project.shared)


def written_into_the_program(project: Project) -> None:
    text = SERVER.replace("PREPARE = None", f"sys.path.insert(0, {str(project.shared.parent)!r})")
    (project.service / "server.py").write_text(text)
    commit(project.folder, "path")


@pytest.mark.parametrize("way", [linked, written_into_the_program])
@pytest.mark.parametrize("words", [("server.py", "{fd}"), ("server.py", "{fd}", "fork")])
def test_a_side_that_loads_the_working_tree_is_refused(
    project: Project, sides: Sides, way: Any, words: tuple[str, ...]
) -> None:
    way(project)
    with sides.running(project.stack(*words)) as both:
        for running in both.values():
            running.verify()  # nothing of the library has been loaded yet
            load(running, "shared.lazy")
            with pytest.raises(OwnCopyError) as caught:
                running.verify()
            file = project.shared / "__init__.py"
            assert caught.value.message == (
                f"shop does not serve its own copy: it has loaded shared from the working tree ({file})"
            )
            assert caught.value.hint.startswith("let Python find it from the stack's own folder")


def test_a_side_that_loads_the_other_ones_copy_is_refused(
    project: Project, sides: Sides, tmp_path: Path
) -> None:
    other = tmp_path / "copies" / "base" / "0" / "libraries" / "src"
    with sides.running(project.stack(env=(("PYTHONPATH", str(other)),))) as both:
        for running in both.values():
            load(running, "shared")
        both["base"].verify()
        with pytest.raises(OwnCopyError, match="it has loaded shared from the copy of another side"):
            both["head"].verify()


def test_a_program_that_git_ignores_is_not_of_either_side(project: Project, sides: Sides) -> None:
    program = project.service / "run.local.py"
    program.write_text(SERVER)
    with (
        sides.running(project.stack(str(program), "{fd}")) as both,
        pytest.raises(OwnCopyError, match="it has loaded __main__ from the working tree"),
    ):
        both["head"].verify()


@pytest.mark.parametrize("option", ["-I", "-E"])
@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_python_that_does_not_say_what_it_loads_is_refused(
    project: Project, sides: Sides, option: str
) -> None:
    with (
        sides.running(project.stack(option, "server.py", "{fd}")) as both,
        pytest.raises(OwnCopyError) as caught,
    ):
        both["head"].verify()
    pid = both["head"].process.pid
    assert caught.value.message == (
        "shop does not say which files it has loaded, so that it may not be its own copy: its Python "
        f"(process {pid}) was started without the environment of its launch"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_what_is_no_python_cannot_say_it(tmp_path: Path) -> None:
    tree = CopiedTree(original=tmp_path / "original", copy=tmp_path / "copies/head", sources=frozenset())
    loaded = LoadedFiles("shop", OwnCopy(trees=(tree,), copies=tmp_path / "copies"), tmp_path)
    loaded.prepare({})
    with subprocess.Popen(["/bin/sleep", "60"]) as other:
        try:
            note = loaded.verify({other.pid: ()})
        finally:
            other.kill()
    assert (
        note == "the files it serves were not verified: its command does not run a Python that reports them"
    )


def test_the_users_own_sitecustomize_is_run(project: Project, sides: Sides) -> None:
    (project.site / "sitecustomize.py").write_text("import sys\nsys.modules['marked'] = sys\n")
    with sides.running(project.stack()) as both:
        program = project.site / "sitecustomize.py"
        assert load(both["head"], "sitecustomize")[0] == program


def test_nothing_is_asked_of_a_stack_that_is_not_compared(
    project: Project, launcher: ProcessLauncher
) -> None:
    (project.service / "environment.py").write_text(
        textwrap.dedent("""
        import os, sys
        SIDE = ["PYTHONPATH" in os.environ, "sitecustomize" in sys.modules]
        """)
    )
    with launcher.start(project.stack()) as running:
        running.verify()
        assert load(running, "environment")[1] == [False, False]
    assert "PYTEST_WEBBENCH_COPIES" not in os.environ
