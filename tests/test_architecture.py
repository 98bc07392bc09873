"""The rules of the package's structure, carried out."""

import ast
import dataclasses
import functools
import importlib
import sys
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

import pytest_webbench

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pytest_webbench"
MODULES = sorted(PACKAGE.rglob("*.py"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_imports_point_one_way(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The contracts stand in .importlinter."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", list(sys.path))  # it is changed, and not changed back
    status = lint_imports(config_filename=str(ROOT / ".importlinter"), no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_every_public_name_can_be_imported() -> None:
    assert pytest_webbench.__all__ == sorted(set(pytest_webbench.__all__))
    for name in pytest_webbench.__all__:
        assert getattr(pytest_webbench, name).__name__ == name
    assert set(pytest_webbench.__all__) <= set(dir(pytest_webbench))


def test_a_name_that_is_not_public_is_told_as_usual() -> None:
    with pytest.raises(AttributeError, match=r"^module 'pytest_webbench' has no attribute 'Nothing'$"):
        pytest_webbench.Nothing  # noqa: B018


def test_all_that_a_public_name_needs_is_public() -> None:
    """Authors of stacks, scenarios and suites find each type that their fields take."""
    fields = {"Amount", "Answer", "BodyRule", "Effect", "EffectKind", "Exchange", "Request", "Unit"}
    hooks = {"Refusal", "Suite", "Stack", "Scenario", "Launcher", "LoadEngine"}
    loops = {"Arrivals", "Schedule"}
    assert fields | hooks | loops <= set(pytest_webbench.__all__)


def test_type_checkers_see_the_names_that_are_there_at_run_time() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    homes = {name: f"pytest_webbench.{home}" for name, home in pytest_webbench._HOME_OF.items()}
    assert seen == homes
    assert set(homes) == set(pytest_webbench.__all__)


def test_modules_are_short() -> None:
    """In lines that are not blank; the entry point is shorter still, for pytest imports it on every run."""
    lengths = {named(path): sum(map(bool, map(str.strip, path.read_text().splitlines()))) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > 420} == {}
    assert lengths["pytest_webbench/plugin.py"] < 200


def test_modules_import_from_each_other_what_is_offered() -> None:
    """Every module has a docstring; what other modules import stands in ``__all__``."""
    hidden = []
    for path in MODULES:
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), named(path)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pytest_webbench."):
                assert node.module is not None
                exported = _exported(node.module)
                hidden += [
                    f"{named(path)}: {node.module}.{alias.name}"
                    for alias in node.names
                    if alias.name not in exported and not _is_module(node.module, alias.name)
                ]
    assert hidden == []


@functools.cache
def _exported(name: str) -> list[str]:
    """What a module has in ``__all__``, which is read, for not every module is for this process."""
    path = ROOT / f"{name.replace('.', '/')}.py"
    tree = ast.parse((path if path.exists() else path.with_suffix("") / "__init__.py").read_text())
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(statement.value)
            return names
    return []


def _is_module(package: str, name: str) -> bool:
    folder = ROOT / package.replace(".", "/")
    return (folder / f"{name}.py").exists() or (folder / name).is_dir()


def test_values_are_frozen_and_made_by_keywords() -> None:
    for path in (PACKAGE / "model").glob("*.py"):
        module = importlib.import_module(f"pytest_webbench.model.{path.stem}")
        for value in vars(module).values():
            if dataclasses.is_dataclass(value) and isinstance(value, type):
                parameters = value.__dataclass_params__  # type: ignore[attr-defined]
                assert parameters.frozen, value
                assert "__slots__" in vars(value), value
                assert all(field.kw_only for field in dataclasses.fields(value)), value


def test_nothing_reads_the_environment_when_it_is_imported() -> None:
    for path in MODULES:
        tree = ast.parse(path.read_text())
        for statement in tree.body:
            if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                names = {node.attr for node in ast.walk(statement) if isinstance(node, ast.Attribute)}
                assert not names & {"environ", "getenv"}, named(path)


def test_applications_and_package_do_not_know_each_other() -> None:
    for path in (ROOT / "framework_apps").rglob("*.py"):
        assert "webbench" not in path.read_text(), named(path)
    for path in MODULES:
        tree = ast.parse(path.read_text())
        imported = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert "framework_apps" not in imported, named(path)


@pytest.mark.parametrize("path", ["conftest.py", "tests/conftest.py"])
def test_a_checkout_can_be_measured_without_the_dependencies_of_its_tests(path: str) -> None:
    imported = [
        node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.parse((ROOT / path).read_text()).body
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    roots = {name.partition(".")[0] for name in imported}
    assert roots - sys.stdlib_module_names <= {"pytest", "pytest_webbench"}
