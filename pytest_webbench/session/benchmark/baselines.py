"""Guards pytest-benchmark's saving and comparing: unsound results are neither stored nor judged.

pytest-benchmark warns about files that it cannot read or compare, and continues. Here that is an error or a
note, before anything is measured if possible.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import pytest
import pytest_benchmark.plugin
from pytest_benchmark.session import PerformanceRegression

from pytest_webbench.analysis.cross_run import machine_differences, match_baselines
from pytest_webbench.host.files import write_whole
from pytest_webbench.model.errors import UsageError, printable
from pytest_webbench.model.measurement import Provenance
from pytest_webbench.model.reasons import Code
from pytest_webbench.model.results import BaselineMatch, Difference
from pytest_webbench.model.settings import Settings
from pytest_webbench.runs.rows import FORMAT, counted_name, is_counted, origin_of
from pytest_webbench.session.benchmark.rows import (
    as_bytes,
    derived_rows,
    mark_unsound,
    provenance_of,
    why_unsound,
)
from pytest_webbench.session.benchmark.storage import Baseline, is_writable, load_baselines, save_baseline

__all__ = ["TEST_FAILED", "Baselines"]

CUT_SHORT = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR)
INTERRUPTED = Code.INTERRUPTED.reason()
TEST_FAILED = Code.TEST_FAILED.reason()
NOTHING_YET = BaselineMatch(missing=(), differing={}, fit=frozenset())
NAMED = 3
"""The number of benchmarks that a line names."""


class Baselines:
    """A plugin that guards what pytest-benchmark saves, loads and judges.

    Baselines are loaded when the session starts, not when pytest is configured.
    """

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self._config = config
        self._settings = settings
        self._wanted = config.getoption("benchmark_compare")
        config.option.benchmark_compare = []
        self._stored: list[Baseline] = []
        self._machines: dict[str, list[Difference]] = {}
        self._failed_tests: set[str] = set()
        self._interrupted = False
        self._ahead: list[str] = []
        self._notes: list[str] = []
        self._faults: list[str] = []

    # --- before anything is measured ------------------------------------------------------------

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Load the baselines, and report problems with them and with the places to save in."""
        self._session = session
        self._plugin = plugin = self._config.pluginmanager.getplugin("pytest-benchmark")
        self._save_as_ever, plugin.storage.save = plugin.storage.save, self._save
        plugin.save_json = self._save_json
        self._find_regressions, plugin.check_regressions = plugin.check_regressions, self._check_regressions
        if plugin.skip or plugin.disabled:
            return
        try:
            self._check_options()
            if self._wanted:
                self._load()
        except UsageError as error:
            raise pytest.UsageError(str(error)) from None

    def _check_options(self) -> None:
        plugin = self._plugin
        if plugin.compare_fail and not self._wanted:
            raise UsageError(
                "--benchmark-compare-fail has nothing to compare with",
                hint="add --benchmark-compare, or name a baseline: --benchmark-compare=NUM or =FILE",
            )
        if plugin.histogram and find_spec("pygal") is None:
            raise UsageError(
                "--benchmark-histogram needs pygal, which is not installed",
                hint="pip install 'pytest-benchmark[histogram]'",
            )
        if plugin.json and (plugin.json.is_dir() or not plugin.json.absolute().parent.is_dir()):
            raise UsageError(
                f"--benchmark-json: {plugin.json} cannot be written",
                hint="give a file in a folder that exists",
            )
        if (plugin.save or plugin.autosave) and not is_writable(plugin.storage):
            raise UsageError(
                f"--benchmark-save and --benchmark-autosave cannot write to {plugin.storage}",
                hint="choose another place with --benchmark-storage",
            )

    def _load(self) -> None:
        plugin = self._plugin
        self._stored, passed_over = load_baselines(
            plugin.storage,
            self._wanted,
            required=bool(plugin.compare_fail),
            measure=self._settings.profile.measure,
        )
        self._notes += passed_over
        plugin.compared_mapping = {each.path: each.rows for each in self._stored}
        if not self._stored:
            self._notes.append(f"nothing is compared: there is no baseline in {plugin.storage}")
            return
        machine = plugin.get_machine_info()
        for baseline in self._stored:
            self._compare_machines(machine, baseline)
            left_out = baseline.left_out.items()
            self._notes += [f"{row} in {baseline.path} is not compared with: {why}" for row, why in left_out]
            plugin.logger.info(f"Comparing against benchmarks from: {baseline.path}", newline=False)
        if self._settings.strict:
            self._refuse(NOTHING_YET)

    def _compare_machines(self, machine: Mapping[str, Any], baseline: Baseline) -> None:
        """Call the hooks, but note only the differences; pytest-benchmark would print both machines."""
        ask = self._config.pluginmanager.subset_hook_caller(
            "pytest_benchmark_compare_machine_info", [pytest_benchmark.plugin]
        )
        ask(
            config=self._config,
            benchmarksession=self._plugin,
            machine_info=machine,
            compared_benchmark=baseline.data,
        )
        self._machines[str(baseline.path)] = machine_differences(baseline.data["machine_info"], machine)

    def pytest_benchmark_update_machine_info(self, machine_info: dict[str, Any]) -> None:
        """Remove clock rates, which change all the time: pytest-benchmark compares machines strictly."""
        cpu = machine_info.get("cpu", {})
        for key in ("hz_actual", "hz_actual_friendly"):
            cpu.pop(key, None)

    def check_plan(self, planned: Mapping[str, Provenance]) -> None:
        """Find differences to the baselines before anything is measured.

        ``planned`` has, by node id, the known provenance of each result. Raises
        :class:`pytest.UsageError`.
        """
        if not self._plugin.compared_mapping or self._config.getoption("collectonly"):
            return
        if self._settings.profile.counts:
            planned = {counted_name(name): each for name, each in planned.items()}
        findings = match_baselines(self._provenances(), planned)
        self._ahead = self._said_of(findings)
        try:
            self._check_findings(findings)
            if planned and self._plugin.compare_fail and not findings.fit:
                raise _nothing_judged([*self._notes, *self._ahead])
        except UsageError as error:
            self._store_nothing()
            raise pytest.UsageError(str(error)) from None

    def pytest_report_collectionfinish(self) -> list[str]:
        """Return differences to the baselines, as far as they are known."""
        return [f"webbench: {printable(line)}" for line in self._ahead]

    # --- when all is measured -------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Drop the results of an earlier attempt of the same test: only the last one counts."""
        self._begin_attempt(item.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> None:
        """Do the same for plugins that rerun a test without its hooks."""
        if fixturedef.argname == "benchmark":
            self._begin_attempt(request.node.nodeid)

    def _begin_attempt(self, nodeid: str) -> None:
        mine = (nodeid, counted_name(nodeid))
        self._plugin.benchmarks[:] = [each for each in self._plugin.benchmarks if each.fullname not in mine]
        self._failed_tests.difference_update(mine)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record which tests failed, expectedly or not."""
        if report.failed or hasattr(report, "wasxfail"):
            self._failed_tests |= {report.nodeid, counted_name(report.nodeid)}

    def pytest_keyboard_interrupt(self) -> None:
        """Record that not all tests were completed; ``pytest.exit`` calls this, too."""
        self._interrupted = True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, exitstatus: int) -> Generator[None, None, None]:
        """Remove results that pytest-benchmark must not judge, before it saves and compares."""
        interrupted = self._interrupted or exitstatus in CUT_SHORT
        measured = [each for each in self._plugin.benchmarks if each]
        for each in measured:
            failed = TEST_FAILED if each.fullname in self._failed_tests else None
            mark_unsound(each, INTERRUPTED if interrupted else failed)
        if interrupted:
            self._store_nothing(but_json=bool(measured))
            self._plugin.compared_mapping = {}
        elif measured and self._plugin.compared_mapping:
            self._settle(measured)
        yield

    def _store_nothing(self, *, but_json: bool = False) -> None:
        self._plugin.save = self._plugin.autosave = None
        if not but_json:
            self._plugin.json = None

    def _settle(self, measured: Sequence[Any]) -> None:
        """Keep only the rows that can be compared, and note the others with the reasons."""
        rows = {each.fullname: {"extra_info": each.extra_info} for each in measured}
        unsound = {name: why for name, row in rows.items() if (why := why_unsound(row))}
        sound = {name: provenance_of(row) for name, row in rows.items() if name not in unsound}
        findings = match_baselines(self._provenances(), sound)
        self._notes += [f"{_short(name)} is not compared: {why}" for name, why in unsound.items()]
        self._notes += self._said_of(findings)
        fit = findings.fit
        try:
            self._check_findings(findings)
            if self._plugin.compare_fail and not fit:
                raise _nothing_judged()
        except UsageError as error:
            self._fail(str(error), pytest.ExitCode.USAGE_ERROR)
            fit = frozenset() if self._settings.strict else fit
        self._plugin.compared_mapping = {
            path: {name: row for name, row in baseline.items() if (str(path), name) in fit}
            for path, baseline in self._plugin.compared_mapping.items()
        }

    def _check_regressions(self) -> None:
        """Let pytest-benchmark print the regressions; fail the run without a traceback."""
        if not self._plugin.compared_mapping:
            return
        try:
            self._find_regressions()
        except PerformanceRegression:
            self._end_with(pytest.ExitCode.TESTS_FAILED)

    # --- what is written ------------------------------------------------------------------------

    def pytest_benchmark_update_json(self, output_json: dict[str, Any]) -> None:
        """Add the rows of the other metrics."""
        rows = output_json["benchmarks"]
        if any(map(origin_of, rows)):
            output_json["webbench_format"] = FORMAT
            output_json["benchmarks"] = [*rows, *(each for row in rows for each in derived_rows(row))]

    def _save(self, output_json: dict[str, Any], save: str) -> None:
        """Replace the storage's method: leave out invalid results, and write complete files."""
        storage = self._plugin.storage
        try:
            save_baseline(storage, output_json, save, save=self._save_as_ever)
        except OSError as error:
            self._fail(
                f"nothing was saved in {storage} ({error.strerror or error}): check the free space and the "
                "permissions, or choose another place with --benchmark-storage"
            )

    def _save_json(self, output_json: dict[str, Any]) -> None:
        """Replace pytest-benchmark's method: the old file stays until the new one is complete."""
        file = self._plugin.json
        try:
            write_whole(file, as_bytes(output_json))
        except OSError as error:
            self._fail(f"--benchmark-json: {file} was not written ({error.strerror or error})")
        else:
            self._plugin.logger.info(f"Wrote benchmark data in: {file}", purple=True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_benchmark_scale_unit(self, unit: str, benchmarks: Sequence[Mapping[str, Any]]) -> Any:
        """Head the tables of counts with their unit: pytest-benchmark adds "s" to the unit of time."""
        if not all(map(is_counted, benchmarks)):
            return None
        return ("k instruction", 1e-3) if unit == "seconds" else ("", 1.0)

    # --- what is printed ------------------------------------------------------------------------

    def _provenances(self) -> dict[str, dict[str, Provenance | None]]:
        """Return the provenances of the results of each baseline."""
        return {str(each.path): each.provenances() for each in self._stored}

    def _differing(self, findings: BaselineMatch) -> Iterator[tuple[bool, str]]:
        """Yield a line for each difference, and whether the results are compared in spite of it."""
        for baseline, found in self._machines.items():
            yield from ((True, f"{baseline}: {each}") for each in found)
        for (baseline, difference), names in findings.differing.items():
            yield difference.comparable, f"{baseline}: {difference} ({_listed(names)})"

    def _said_of(self, findings: BaselineMatch) -> list[str]:
        missing = [f"not compared: not in any baseline: {_listed(findings.missing)}"]
        return [
            *(missing if findings.missing else []),
            *(
                f"{'compared anyway' if compared else 'not compared'}: {line}"
                for compared, line in self._differing(findings)
            ),
        ]

    def _check_findings(self, findings: BaselineMatch) -> None:
        """Raise ``UsageError`` for differences that forbid a comparison."""
        if findings.missing and not self._settings.allow_missing:
            raise UsageError(
                f"{', '.join(self._machines)} has no result of {_listed(findings.missing)}",
                evidence="\n".join(self._notes),
                hint="measure it again, select other benchmarks, or pass --webbench-allow-missing",
            )
        if self._settings.strict:
            self._refuse(findings)

    def _refuse(self, findings: BaselineMatch) -> None:
        """Raise :class:`~pytest_webbench.model.errors.UsageError` if anything differs."""
        differing = [line for _, line in self._differing(findings)]
        if differing:
            raise UsageError(
                "--webbench-strict: the baseline was measured differently, so nothing is compared",
                evidence="\n".join(differing),
                hint="measure as it was, or measure the baseline again",
            )

    def _fail(self, fault: str, code: pytest.ExitCode = pytest.ExitCode.TESTS_FAILED) -> None:
        self._faults.append(fault)
        self._end_with(code)

    def _end_with(self, code: pytest.ExitCode) -> None:
        """Set the exit code, unless another error has already set one."""
        if self._session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            self._session.exitstatus = code

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Print the notes and faults."""
        for lines, markup in ((self._notes, {"yellow": True}), (self._faults, {"red": True, "bold": True})):
            for line in lines:
                terminalreporter.write_line(f"webbench: {printable(line)}", **markup)


def _nothing_judged(why: Sequence[str] = ()) -> UsageError:
    return UsageError(
        "--benchmark-compare-fail could not judge a single benchmark",
        evidence="\n".join(why),
        hint="measure as the baseline was, or measure the baseline again",
    )


def _listed(names: Sequence[str]) -> str:
    """Return the first of ``names``, and the number of the others."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(_short, names[:NAMED])) + more


def _short(fullname: str) -> str:
    return fullname.rpartition("::")[2]
