"""How often the gate (pytest --webbench-against) decides correctly, by repeated runs on real servers.

    python benchmarks/gate.py                            all parts, up to 20 runs of each
    python benchmarks/gate.py --part aa                  the same code twice: false alarms
    python benchmarks/gate.py --part ab10                10 % more CPU time for each request: is it found?
    python benchmarks/gate.py --part ab5                  5 % more
    python benchmarks/gate.py --part counts-aa           the same code twice, by instruction counts
    python benchmarks/gate.py --part counts-ab2          2 % more instructions in one handler: is it found?
    python benchmarks/gate.py --part counts-ab05         0.5 % more: is it left alone?
    python benchmarks/gate.py --part times-aa            the comparison of counts-aa, by time
    python benchmarks/gate.py --part counts              these four, in common tables
    python benchmarks/gate.py --keep DIR                 resumes there if it is started again

Each run is a separate pytest, with the gate's default thresholds and budget. A slowdown consists of work
whose units are counted, so that its size does not rest on a clock alone. The table also shows what
--benchmark-compare-fail would have said of the same rounds. Every second run of the parts of "counts" is
made while other processes keep all processors busy. Exit code 1 if it was not right often enough, or took
too long.
"""

import argparse
import random
import shlex
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from engine_bench.machine import describe_machine
from engine_bench.tables import Table
from gate_bench.counted_report import changed_table, goals_table, same_table
from gate_bench.deciding import decide, goals
from gate_bench.keeping import Kept
from gate_bench.parts import COUNTED_PARTS, PARTS, SCENARIOS, Part, Setup
from gate_bench.report import describe_calibration, gate_table
from gate_bench.series import Series
from gate_bench.tallying import missed_goals, tally

from pytest_webbench.model.errors import WebbenchError

GROUPS = {"counts": COUNTED_PARTS, "all": tuple(PARTS)}


def main(arguments: Sequence[str]) -> int:
    """Make the runs that ``arguments`` ask for, print the table, and return the exit code."""
    options = _parser().parse_args(arguments)
    # An exception, so that all processes started here are ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    try:
        with ExitStack() as context:
            folder = options.keep
            if folder is None:
                folder = Path(context.enter_context(tempfile.TemporaryDirectory(prefix="webbench-gate-")))
            missed = _measure(options, folder.resolve())
    except WebbenchError as error:
        _say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        _say("interrupted")
        return 130
    for goal in missed:
        print(f"MISSED {goal}")
    print(f"\nTo repeat: {shlex.join(['tox', '-e', 'gate-bench', '--', *arguments])}")
    return 1 if missed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gate.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--part", choices=(*PARTS, *GROUPS), default="all", help="which part (all)")
    parser.add_argument("--runs", type=_count, help="runs of each part (20; counts-aa and times-aa 6)")
    parser.add_argument(
        "--cells",
        type=_cells,
        default=10,
        help="cells of a run of the part aa: two stacks in N/2 scenarios (10)",
    )
    parser.add_argument(
        "--duration", type=float, help="seconds of a load that has a duration (aa 0.5, ab10 and ab5 1.2)"
    )
    parser.add_argument(
        "--budget",
        type=_count,
        help="seconds for a run of aa (the gate's default, 60 for each cell) or times-aa (480)",
    )
    parser.add_argument("--launcher", choices=("process", "container"), default="process")
    parser.add_argument(
        "--longest",
        type=_count,
        default=3600,
        help="seconds: a run of ab5 that asks for more is not made again, and counts as missed (3600)",
    )
    parser.add_argument(
        "--seed", type=int, default=random.randrange(10**6), help="of the order and the requests"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep all runs in DIR, and go on from there")
    parser.add_argument("--markdown", action="store_true", help="print the table in Markdown")
    return parser


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _cells(text: str) -> int:
    value, most = int(text), 2 * len(SCENARIOS)
    if value % 2 or not 2 <= value <= most:
        raise argparse.ArgumentTypeError(f"must be an even number from 2 to {most}")
    return value


def _measure(options: argparse.Namespace, folder: Path) -> list[str]:
    """Make the runs, print the tables, and return the goals that were missed."""
    machine = describe_machine()
    setup = Setup(
        launcher=options.launcher,
        seed=options.seed,
        cells=options.cells,
        duration_s=options.duration,
        same_budget_s=options.budget,
    )
    parts = [PARTS[name] for name in GROUPS.get(options.part, (options.part,))]
    series = Series(
        kept=Kept(folder, setup), parts=parts, runs=options.runs, longest_s=options.longest, say=_say
    )
    tuned, plain = ([part for part in parts if part.tuned is wanted] for wanted in (True, False))
    if any(part.growth for part in tuned):
        calibration = series.calibrated()
        for growth in (part.growth for part in tuned if part.growth is not None):
            _say(describe_calibration(calibration, growth))
    series.carry_out()
    missed, tables = [], []
    for report, chosen in ((_timed_gate, tuned), (_counted_gate, plain)):
        if chosen:
            made, goals_missed = report(series, chosen)
            tables += made
            missed += goals_missed
    for table in tables:
        print(table.markdown() if options.markdown else table.terminal())
        print("\n".join(["", *table.notes, *([""] if table.notes else [])]))
    print(f"{machine}.")
    return missed


def _timed_gate(series: Series, parts: Sequence[Part]) -> tuple[list[Table], list[str]]:
    """Return the table of the parts with their own loads, and the goals that were missed."""
    calibration = series.calibrated() if any(part.growth for part in parts) else None
    tallies = [
        tally(
            part,
            series.attempts(part),
            failed_runs=series.failed_runs.get(part.name, 0),
            calibration=calibration,
        )
        for part in parts
    ]
    return (
        [gate_table(tallies, series.kept.setup, calibration)],
        [goal for each in tallies for goal in missed_goals(each)],
    )


def _counted_gate(series: Series, parts: Sequence[Part]) -> tuple[list[Table], list[str]]:
    """Return the tables of the parts that count and of the timed one, and the goals that were missed."""
    decided = [
        decide(
            part,
            [attempts[-1] for attempts in series.attempts(part)],
            failed_runs=series.failed_runs.get(part.name, 0),
        )
        for part in parts
    ]
    same = [each for each in decided if each.part.growth is None]
    changed = [each for each in decided if each.part.growth is not None]
    loops = series.loops() if changed else None
    asked = [
        goal
        for each in decided
        for goal in goals(each, size=loops.size(each.part.growth) if loops and each.part.growth else None)
    ]
    tables = [
        *([same_table(same)] if same else []),
        *([changed_table(changed, loops)] if loops else []),
        *([goals_table(asked)] if asked else []),
    ]
    return tables, [f"{each.text}: {each.found}" for each in asked if not each.met]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
