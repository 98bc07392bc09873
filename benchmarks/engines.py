"""How many requests per second this engine and other load generators send, measured side by side.

    python benchmarks/engines.py                     against a page of nginx, which costs next to nothing
    python benchmarks/engines.py --varied            no two responses are the same, so that all must be parsed
    python benchmarks/engines.py --stack             against a stack of this project: do they agree?
    python benchmarks/engines.py --memory 20000000   the memory of the native engine after so many requests

The server has one core, the generators another. In each round every generator makes one load, in a new
random order; ratios are taken within a round, so that a slow minute of the machine cancels out. For
Linux, with two cores.
"""

import argparse
import random
import shlex
import signal
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager

from engine_bench.comparing import measure_rounds
from engine_bench.generators import GENERATORS, Generator
from engine_bench.machine import describe_machine, pinned_to, two_cores
from engine_bench.memory import measure_memory
from engine_bench.server import Server, run_nginx
from engine_bench.stack import STACK_NAMES, launch_stack
from engine_bench.tables import Table, comparison_table, memory_table, stack_table

from pytest_webbench.model.errors import WebbenchError

STACK_GENERATORS = ("native", "wrk", "k6")
"""The generators that report their median latency."""
CONNECTIONS = 50
STACK_CONNECTIONS = 2
"""As many as the stack has workers."""
INDISPENSABLE = {"native", "wrk"}
"""Without these there is nothing to compare with."""


def main(arguments: Sequence[str]) -> int:
    """Measure what ``arguments`` ask for, print it, and return the exit code."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that all processes started here are ended
    try:
        print(_measure(options))
    except WebbenchError as error:
        _say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"\nTo repeat: {shlex.join(['tox', '-e', 'engine-bench', '--', *arguments])}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="engines.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=_count, default=5, help="how often each generator runs (5)")
    parser.add_argument("--seconds", type=_count, default=3, help="how long each time (3)")
    parser.add_argument("--connections", type=_count, help="how many at once (50; with --stack 2)")
    parser.add_argument("--only", nargs="+", choices=GENERATORS, help="these generators alone")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the order of the runs")
    parser.add_argument("--markdown", action="store_true", help="print the table in Markdown")
    parser.add_argument("--varied", action="store_true", help="no two answers of nginx have the same bytes")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--stack",
        nargs="?",
        const="flask-sqlite3",
        choices=STACK_NAMES,
        help="measure GET /hello of a stack (flask-sqlite3) instead of nginx",
    )
    mode.add_argument(
        "--memory",
        type=_count,
        metavar="REQUESTS",
        help="measure the memory of the native engine during so many requests",
    )
    return parser


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _measure(options: argparse.Namespace) -> str:
    """Return the table that ``options`` ask for, with the machine and the server below it."""
    generators = [] if options.memory else _installed(options)
    server_core, generator_core = two_cores()
    machine = describe_machine()
    with _server(options, server_core) as server, pinned_to(generator_core):
        table = _memory(options, server) if options.memory else _compare(options, server, generators)
    text = table.markdown() if options.markdown else table.terminal()
    cores = f"{server.about} on core {server_core}, generators on core {generator_core}"
    return "\n".join([text, "", *table.notes, f"{machine}.", f"{cores}."])


def _installed(options: argparse.Namespace) -> list[Generator]:
    """Return the requested generators that are installed.

    Raises an error if an indispensable one is missing.
    """
    names = options.only or (STACK_GENERATORS if options.stack else GENERATORS)
    generators = [GENERATORS[name] for name in dict.fromkeys(names)]
    missing = {each.name: hint for each in generators if (hint := each.missing())}
    for name, hint in missing.items():
        if name in INDISPENSABLE:
            raise WebbenchError(f"{name} is not installed.", hint=hint)
        _say(f"goes on without {name}, which is not installed: {hint}")
    return [each for each in generators if each.name not in missing]


def _server(options: argparse.Namespace, core: int) -> AbstractContextManager[Server]:
    return launch_stack(options.stack, core) if options.stack else run_nginx(core, varied=options.varied)


def _memory(options: argparse.Namespace, server: Server) -> Table:
    connections = options.connections or CONNECTIONS
    return memory_table(measure_memory(server, requests=options.memory, connections=connections))


def _compare(options: argparse.Namespace, server: Server, generators: Sequence[Generator]) -> Table:
    _say(f"order of the runs: --seed {options.seed}")
    try:
        measured = measure_rounds(
            generators,
            server,
            rounds=options.rounds,
            seconds=options.seconds,
            connections=options.connections or (STACK_CONNECTIONS if options.stack else CONNECTIONS),
            seed=options.seed,
            say=_say,
        )
    finally:
        for generator in generators:
            generator.close()
    return (stack_table if options.stack else comparison_table)(generators, measured)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
