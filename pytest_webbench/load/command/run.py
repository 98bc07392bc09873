"""The command ``webbench load URL``: one load by itself, without a stack and without pytest.

It lets anyone compare the native engine with another generator, against any server. Also
``python -m pytest_webbench.load``.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace

from pytest_webbench.analysis.summary import LoadSummary, summarise_load
from pytest_webbench.host.running_server import RunningServer
from pytest_webbench.load.command.command_line import PROGRAM, CliOptions, read_options
from pytest_webbench.load.command.printing import as_json, as_text
from pytest_webbench.load.failures import TLS
from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.http1.exchange import speaks_tls
from pytest_webbench.load.native.engine import NativeEngine
from pytest_webbench.load.partition import Drawing, draws_of
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.load import ConnectionProbe, ErrorClass, Latencies, Load, LoadResult

__all__ = ["main"]

_TLS_TIMEOUT_S = 2.0


def main(arguments: Sequence[str] | None = None, *, program: str = PROGRAM) -> int:
    """Run the load that ``arguments`` ask for, print its summary, and return the exit code.

    0: all responses were as expected; 1: requests failed, none was completed, or the load could not be
    made; 130: Ctrl-C. Invalid ``arguments`` exit with code 2; ``program`` is the name in the help.
    """
    options = read_options(arguments, program)
    try:
        summary = _carry_out(options)
    except LoadError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    print(as_json(summary) if options.as_json else as_text(summary, url=options.url))
    return 0 if summary.all_ok else 1


def _carry_out(options: CliOptions) -> LoadSummary:
    engine = NativeEngine(generators=options.generators)
    target = Target.parse(options.base_url)
    look = RunningServer(target.host, target.port).connections
    drawing = Drawing(options.load, options.draws or _draws(options.load, look))
    try:
        while (part := drawing.next()) is not None:
            drawing.add(engine.run(part, options.base_url, look))
    finally:
        engine.close()
    result = drawing.whole()
    if not result.ok and result.errors.keys() <= {ErrorClass.RESET.value}:
        result = _with_cause(result, options)
    # Times to first byte are not shown; dropping them makes room for the copy that percentiles need.
    result = replace(result, ttfb_ns=Latencies())
    return summarise_load(options.load, result, generators=options.generators)


def _draws(load: Load, look: ConnectionProbe) -> int:
    """Return the number of sets of connections.

    One is enough if they are spread evenly over the server's processes.
    """
    return draws_of(load.amount, load.users) if look() is None else 1


def _with_cause(result: LoadResult, options: CliOptions) -> LoadResult:
    """Return ``result``, with the reason why the server closed all connections silently, if known."""
    target = Target.parse(options.base_url)
    if not speaks_tls(target, timeout_s=_TLS_TIMEOUT_S):
        return result
    counts = (1, *result.example_counts)
    return replace(result, examples=(TLS, *result.examples), example_counts=counts)
