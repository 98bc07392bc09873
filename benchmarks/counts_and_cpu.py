"""How well instruction counts predict the CPU time of a request, from two saved runs of the same benchmarks.

    pytest --webbench --webbench-output=timed
    pytest --webbench --webbench-output=counted --webbench-measure=instructions
    python benchmarks/counts_and_cpu.py timed/* counted/*             correlations, and all benchmarks
    python benchmarks/counts_and_cpu.py timed/* counted/* --chart FILE.svg

The first run was timed, the second one counted instructions.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from counts_bench.chart import save_chart
from counts_bench.correlation import correlate, read_costs
from counts_bench.report import correlation_table, costs_table

from pytest_webbench.model.errors import WebbenchError


def main(arguments: Sequence[str]) -> int:
    """Print the tables of the runs that ``arguments`` name, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="counts_and_cpu.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("timed", type=Path, help="the folder of a run that was timed")
    parser.add_argument("counted", type=Path, help="the folder of a run with --webbench-measure=instructions")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw the benchmarks as SVG or PNG")
    parser.add_argument("--markdown", action="store_true", help="print the tables in Markdown")
    options = parser.parse_args(arguments)
    try:
        costs = read_costs(options.timed, options.counted)
        tables = [correlation_table(correlate(costs)), costs_table(costs)]
    except WebbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for table in tables:
        print(table.markdown() if options.markdown else table.terminal())
        print("\n".join(["", *table.notes, ""]))
    if options.chart:
        save_chart(costs, options.chart)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
