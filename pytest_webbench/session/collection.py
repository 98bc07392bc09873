"""The items of the built-in run: one per scenario and stack, without files.

Their node ids are the same on every machine and for every kind of installation, because pytest-benchmark
compares by them: ``webbench/items::hello[fastapi-sqlite3]``.
"""

import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from pytest_webbench.analysis.text import did_you_mean
from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.suite import Registry
from pytest_webbench.session.options.project_file import find_project

__all__ = ["ROOT", "SuiteModule", "cell_of", "split_arguments", "suite_modules", "take_arguments"]

ROOT = "webbench"
"""The folder that node ids begin with; it does not exist on disk."""


class SuiteModule(pytest.Module):
    """A module created in memory: a function per scenario, parametrized over the stacks."""

    _made: types.ModuleType
    _wanted: frozenset[str] | None

    @classmethod
    def make(
        cls, session: pytest.Session, module: types.ModuleType, wanted: frozenset[str] | None
    ) -> "SuiteModule":
        """Create the node for ``module``; ``wanted`` are names of functions or items, ``None`` for all.

        Its path is the project's folder, so that the hooks of the ``conftest.py`` there see its items.
        """
        name = f"{ROOT}/{module.__name__}"
        node = cls.from_parent(session, path=find_project(session.config).folder, name=name, nodeid=name)
        node._made, node._wanted = module, wanted
        return node

    def _getobj(self) -> types.ModuleType:
        return self._made

    def funcnamefilter(self, name: str) -> bool:  # noqa: ARG002
        """Return true: every function is a benchmark, regardless of its name."""
        return True

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """Yield the items, or those of them that were asked for by their node ids."""
        for node in super().collect():
            if self._wanted is None or self._wanted & {node.name, getattr(node, "originalname", None)}:
                yield node


def cell_of(item: pytest.Item) -> Cell:
    """Return the cell that an item of a suite stands for."""
    callspec = item.callspec  # type: ignore[attr-defined]
    return Cell(scenario=item.originalname, stack=callspec.params["stack"])  # type: ignore[attr-defined]


def take_arguments(config: pytest.Config, registry: Registry) -> dict[str, frozenset[str] | None]:
    """Take the suites to collect out of pytest's arguments: all where no path is given, else those named.

    Raises :class:`~pytest_webbench.model.errors.UsageError` for a name that no selected benchmark has.
    """
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = []
        return dict.fromkeys(registry.suites)
    here = config.invocation_params.dir
    wanted, config.args = split_arguments(
        config.args, tuple(registry.suites), lambda path: (here / path).exists()
    )
    _check_wanted(wanted, registry)
    return wanted


def split_arguments(
    arguments: Sequence[str], suites: Sequence[str], exists: Callable[[str], bool]
) -> tuple[dict[str, frozenset[str] | None], list[str]]:
    """Take the node ids of the built-in run out of pytest's arguments.

    Returns the names wanted for each suite (``None``: all), and the arguments left for pytest. Real paths,
    according to ``exists``, are left alone.
    """
    wanted: dict[str, set[str] | None] = {}
    left = []
    for argument in arguments:
        path, _, name = argument.partition("::")
        from_root = path
        while from_root.startswith("../"):  # as pytest shows them in a folder below its root
            from_root = from_root.removeprefix("../")
        suite = from_root.removeprefix(f"{ROOT}/")
        if not from_root.startswith(f"{ROOT}/") or suite not in suites or exists(path):
            left.append(argument)
            continue
        names = wanted.setdefault(suite, set())
        if not name:
            wanted[suite] = None
        elif names is not None:
            names.add(name)
    return {suite: names if names is None else frozenset(names) for suite, names in wanted.items()}, left


def _check_wanted(wanted: Mapping[str, frozenset[str] | None], registry: Registry) -> None:
    for suite, names in wanted.items():
        cells = [cell for cell in registry.cells() if registry.scenarios[cell.scenario].suite == suite]
        known = {str(cell): None for cell in cells} | {cell.scenario: None for cell in cells}
        for name in sorted(names or ()):
            if name not in known:
                raise UsageError(
                    f"no benchmark of {ROOT}/{suite} is called {name!r}{did_you_mean(name, known)}",
                    hint="see pytest --webbench --collect-only -q, with the same selection",
                )


def suite_modules(
    session: pytest.Session, registry: Registry, wanted: Mapping[str, frozenset[str] | None]
) -> list[SuiteModule]:
    """Return the nodes of the suites named in ``wanted``."""
    return [SuiteModule.make(session, _module(suite, registry), names) for suite, names in wanted.items()]


def _module(suite: str, registry: Registry) -> types.ModuleType:
    module = types.ModuleType(suite, registry.suites[suite].__doc__)
    cells = [cell for cell in registry.cells() if registry.scenarios[cell.scenario].suite == suite]
    for name in dict.fromkeys(cell.scenario for cell in cells):
        stacks = [cell.stack for cell in cells if cell.scenario == name]
        setattr(module, name, _benchmark_function(name, registry.scenarios[name].title, module, stacks))
    return module


def _benchmark_function(
    scenario: str, title: str, module: types.ModuleType, stacks: Sequence[str]
) -> Callable[..., None]:
    def replay(benchmark: Any, webbench_replay: Callable[[Any, str, str], None], stack: str) -> None:
        webbench_replay(benchmark, scenario, stack)

    replay.__name__ = replay.__qualname__ = scenario
    replay.__doc__ = title
    replay.__module__ = module.__name__
    parametrized: Callable[..., None] = pytest.mark.parametrize("stack", stacks)(replay)
    return parametrized
