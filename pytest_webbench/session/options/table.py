"""The options: one table, from which the command line, the ini values and the reference are made."""

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # pytest imports this module on every run, so it imports little
    import pytest

__all__ = ["OPTIONS", "Option", "add_options"]


class Option(NamedTuple):
    """One option. ``flag`` ``--webbench-x`` has the ini value ``webbench_x`` beside it.

    ``many`` options may be repeated, and their ini value is a list; ``default`` is for the reader.
    """

    flag: str
    metavar: str
    help: str
    default: str = ""
    many: bool = False
    ini: bool = True

    @property
    def dest(self) -> str:
        """The name in ``config.option`` and in the ini file."""
        return self.flag.removeprefix("--").replace("-", "_")


OPTIONS = (
    Option("--webbench", "", "measure: without a path, the built-in suite of 35 benchmarks", ini=False),
    Option("--webbench-list", "", "show the stacks, scenarios and profiles, and exit", ini=False),
    Option(
        "--webbench-stack",
        "PATTERN",
        "measure only these stacks: names or patterns, separated by commas; may be repeated",
        "all",
        many=True,
    ),
    Option(
        "--webbench-scenario",
        "PATTERN",
        "measure only these scenarios: names or patterns, separated by commas; may be repeated",
        "all",
        many=True,
    ),
    Option("--webbench-profile", "NAME", "the numbers of the run: quick, smoke or paper", "quick"),
    Option(
        "--webbench-launcher",
        "NAME",
        "how stacks are launched: container, process, or auto: containers where an engine answers",
        "auto",
    ),
    Option(
        "--webbench-versions", "NAME", "versions that the stacks are locked to: current or paper", "current"
    ),
    Option(
        "--webbench-base-image", "IMAGE", "image that the stacks' containers start from", "of the versions"
    ),
    Option("--webbench-cpus", "N", "processors that each container may use, such as 1.5", "all"),
    Option("--webbench-memory", "SIZE", "memory that each container may use, such as 512m or 2g", "all"),
    Option(
        "--webbench-prune",
        "",
        "remove the containers that killed runs left, and all images of stacks, and exit",
        ini=False,
    ),
    Option(
        "--webbench-url",
        "[NAME=]URL",
        "measure this server, which runs already, in place of the stacks; may be repeated",
        many=True,
    ),
    Option(
        "--webbench-allow-writes",
        "",
        "also send the requests that change or delete records to the servers of --webbench-url",
    ),
    Option("--webbench-rounds", "N", "rounds of each cell, each from a fresh launch", "of the profile"),
    Option(
        "--webbench-duration",
        "[SCENARIO=]SECONDS",
        "length of a round, of one scenario or of all that have a duration; may be repeated",
        "of the profile",
        many=True,
    ),
    Option(
        "--webbench-requests",
        "[SCENARIO=]N",
        "requests of a round, of one scenario or of all that have a number of them; may be repeated",
        "of the profile",
        many=True,
    ),
    Option(
        "--webbench-users",
        "[SCENARIO=]N",
        "users (connections) of one scenario or of all; may be repeated",
        "of the scenario",
        many=True,
    ),
    Option(
        "--webbench-rate",
        "[SCENARIO=]R|common[:SHARE]",
        "open loop: send R requests a second, whatever the server does; common: at a rate that every stack "
        "can serve, a share (such as common:50%) of what the slowest one can; may be repeated",
        "closed loop",
        many=True,
    ),
    Option(
        "--webbench-arrivals",
        "NAME",
        "how the requests of an open loop lie in time: constant or poisson",
        "constant",
    ),
    Option("--webbench-engine", "NAME", "what makes the load: native, k6 or locust", "native"),
    Option("--webbench-generators", "N", "processes of the native engine, which share the users", "1"),
    Option("--webbench-load-workers", "N", "workers of the engine locust", "2"),
    Option(
        "--webbench-load-bind",
        "HOST:PORT",
        "where the workers of the engine locust, started by hand on any machine, find this run",
        "workers are started here",
    ),
    Option(
        "--webbench-load-master",
        "HOST:PORT",
        "control port of a master of the engine locust that runs already",
        "a master is started",
    ),
    Option("--webbench-records", "N", "records in the database when a round starts", "1500"),
    Option("--webbench-workers", "N", "worker processes of each server", "2"),
    Option("--webbench-threads", "N", "threads of each worker of a threaded server", "2"),
    Option("--webbench-seed", "N", "seed of the order and of the requests, to repeat a run", "random"),
    Option("--webbench-start-timeout", "SECONDS", "how long a stack may take to its first answer", "30"),
    Option("--webbench-request-timeout", "SECONDS", "how long a single request may take", "30"),
    Option(
        "--webbench-against",
        "REF",
        "compare with the stacks as they are at this commit, branch or tag, measured in the same run; "
        "self: with themselves",
    ),
    Option("--webbench-against-stack", "NAME", "compare every stack with this one, measured in the same run"),
    Option(
        "--webbench-fail",
        "METRIC[ of SCENARIO[STACK]]: LIMIT",
        "what of a comparison fails a test, such as 'p95: 10%' or 'memory of hello: 10% and 8m'; "
        "may be repeated",
        "time: 5%, cpu: 3%, errors: 0",
        many=True,
    ),
    Option(
        "--webbench-budget",
        "TIME",
        "how long a comparison may add rounds to what is undecided, such as 90s or 5m",
        "60s for each cell",
    ),
    Option(
        "--webbench-explain",
        "",
        "after all rounds, sample each cell once more under a profiler, untimed: where its time goes",
    ),
    Option("--webbench-markdown", "FILE", "write the verdicts for a pull request to this file"),
    Option(
        "--webbench-invalid",
        "fail|note",
        "what becomes of the test of an invalid cell: it fails, or the tables note it",
        "fail in a comparison, at a rate, and where pytest-benchmark saves or compares; else note",
    ),
    Option(
        "--webbench-strict",
        "",
        "fail where figures of other launchers, engines, profiles, workers or machines would be compared",
    ),
    Option(
        "--webbench-allow-missing",
        "",
        "let --benchmark-compare go on if the baseline lacks a benchmark of this run",
    ),
    Option(
        "--webbench-wait",
        "",
        "wait while another run of this user measures on this machine, in place of ending with exit code 4",
    ),
    Option("--webbench-output", "DIR", "folder for measurements and logs", ".webbench"),
    Option("--webbench-cache", "DIR", "folder that keeps the stacks' environments", "the user's cache"),
)


def add_options(parser: "pytest.Parser") -> None:
    """Declare every option of the table, and its ini value, to pytest."""
    group = parser.getgroup("webbench", "benchmarks of web stacks (pytest-webbench)")
    for option in OPTIONS:
        text = f"{option.help} (default: {option.default})" if option.default else option.help
        in_help = text.replace("%", "%%")  # argparse fills these in
        if not option.metavar:
            group.addoption(option.flag, action="store_true", default=None, help=in_help)
        elif option.many:
            group.addoption(option.flag, action="append", default=None, metavar=option.metavar, help=in_help)
        else:
            group.addoption(option.flag, default=None, metavar=option.metavar, help=in_help)
        if option.ini:
            kind: Any = "args" if option.many else "string" if option.metavar else "bool"
            parser.addini(option.dest, text, type=kind, default=None)
