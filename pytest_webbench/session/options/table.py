"""The options: one table, the source of the command line, the settings and the reference."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_webbench.session.options.parsers import (
    Parser,
    address,
    choice,
    number,
    per_scenario,
    rates,
    size,
    thresholds,
    time,
    urls,
    words,
)

if TYPE_CHECKING:  # pytest imports this module on every run, so it imports little
    import pytest

__all__ = ["OPTIONS", "Option", "add_options"]


class Option(NamedTuple):
    """One option: ``parser`` turns its text into the value of a ``field`` of ``Settings``.

    The default is the field's; ``default`` is its text for readers. Options with ``many`` may be repeated,
    and their ini values are lists. Beside ``--webbench-x`` there is an ini value ``webbench_x``, unless there
    is no field.
    """

    usage: str
    parser: Parser
    field: str
    help: str
    default: str = ""
    many: bool = False

    @property
    def flag(self) -> str:
        """``--webbench-x``."""
        return self.usage.partition(" ")[0]

    @property
    def metavar(self) -> str:
        """The placeholder for the value in the help; empty for a flag, which has none."""
        return self.usage.partition(" ")[2]

    @property
    def dest(self) -> str:
        """The name in ``config.option`` and in the ini file."""
        return self.flag.removeprefix("--").replace("-", "_")

    @property
    def ini(self) -> bool:
        """Whether it may be set in a file: not if it selects the purpose of a single run."""
        return bool(self.field)


few = number(int, 1, 10_000)
seconds = number(float, 0.01, 86_400)

# fmt: off
OPTIONS = (
    Option("--webbench", bool, "", "run the benchmarks; without a path, the built-in suite (35)"),
    Option("--webbench-list", bool, "", "list the stacks, scenarios and profiles, and exit"),
    Option("--webbench-stack PATTERN", words, "stacks",
           "measure only these stacks, e.g. 'flask-*'; separate several by commas, or repeat the option",
           "all", many=True),
    Option("--webbench-scenario PATTERN", words, "scenarios",
           "measure only these scenarios, e.g. hello,get_item; separate several by commas, or repeat the "
           "option", "all", many=True),
    Option("--webbench-profile NAME", choice("quick", "smoke", "paper"), "profile",
           "rounds, durations and pauses of the run: quick, smoke or paper", "quick"),
    Option("--webbench-measure NAME", choice("time", "instructions"), "measure",
           "what to measure: time, or instructions (per request, counted under Valgrind; the same on a busy "
           "machine)", "time"),
    Option("--webbench-launcher NAME", choice("auto", "process", "container"), "launcher",
           "how to launch stacks: container, process, or auto (containers if a container engine is running)",
           "auto"),
    Option("--webbench-versions NAME", choice("current", "paper"), "versions",
           "locked versions of the stacks' dependencies: current or paper", "current"),
    Option("--webbench-base-image IMAGE", str, "base_image",
           "base image of the stacks' containers, e.g. python:3.13-slim", "set by --webbench-versions"),
    Option("--webbench-cpus N", number(float, 0.01, 10_000), "cpus",
           "CPU limit of each container, e.g. 1.5", "no limit"),
    Option("--webbench-memory SIZE", size, "memory_bytes",
           "memory limit of each container, e.g. 512m or 2g", "no limit"),
    Option("--webbench-prune", bool, "",
           "remove containers left behind by killed runs and all images of stacks, and exit"),
    Option("--webbench-url [NAME=]URL", urls, "urls",
           "measure this running server instead of the stacks, e.g. mine=http://127.0.0.1:8000; may be "
           "repeated", many=True),
    Option("--webbench-allow-writes", bool, "allow_writes",
           "also send requests that change or delete records to the servers of --webbench-url"),
    Option("--webbench-rounds N", few, "rounds",
           "rounds of each benchmark, each on a freshly launched server", "set by the profile"),
    Option("--webbench-duration [SCENARIO=]SECONDS", per_scenario(seconds), "durations_s",
           "length of a round, e.g. 5 or hello=5, for scenarios that run for a time; may be repeated",
           "set by the profile", many=True),
    Option("--webbench-requests [SCENARIO=]N", per_scenario(number(int, 1, 100_000_000)), "requests",
           "requests per round, e.g. get_item=5000, for scenarios that send a fixed number; may be repeated",
           "set by the profile", many=True),
    Option("--webbench-users [SCENARIO=]N", per_scenario(few), "users",
           "concurrent users (one connection each), e.g. 20 or hello=20; may be repeated",
           "set by the scenario", many=True),
    Option("--webbench-rate [SCENARIO=]R|common[:SHARE]", rates, "rates",
           "open loop: send R requests per second, however the server responds, e.g. hello=200; common: a "
           "rate that every stack can serve, by default 50% of the slowest one's maximum, e.g. common:50%; "
           "may be repeated", "closed loop", many=True),
    Option("--webbench-arrivals NAME", choice("constant", "poisson"), "arrivals",
           "arrival process of an open loop: constant or poisson", "constant"),
    Option("--webbench-engine NAME", choice("native", "k6", "locust"), "engine",
           "load generator: native, k6 or locust", "native"),
    Option("--webbench-generators N", number(int, 1, 256), "generators",
           "processes of the native load generator, which share the users", "1"),
    Option("--webbench-load-workers N", few, "load_workers", "worker processes of locust", "2"),
    Option("--webbench-load-bind HOST:PORT", address, "load_bind",
           "address on which this run waits for locust workers started by hand, on any machine",
           "start the workers here"),
    Option("--webbench-load-master HOST:PORT", address, "load_master",
           "control port of a locust master that is already running", "start a master"),
    Option("--webbench-records N", number(int, 0, 10_000_000), "records",
           "records in the database at the start of each round", "1500"),
    Option("--webbench-workers N", few, "workers", "worker processes of each server", "2"),
    Option("--webbench-threads N", few, "threads",
           "threads of each worker, for servers that use threads", "2"),
    Option("--webbench-seed N", number(int, 0, 2**63), "seed",
           "random seed of the order and the requests; reuse one to repeat a run", "random"),
    Option("--webbench-start-timeout SECONDS", seconds, "start_timeout_s",
           "seconds to wait for a stack to become ready", "30; 300 when instructions are counted"),
    Option("--webbench-request-timeout SECONDS", seconds, "request_timeout_s",
           "seconds to wait for a single response", "30; 300 when instructions are counted"),
    Option("--webbench-against REF", str, "against",
           "compare with the stacks at this commit, branch or tag, measured in the same run, e.g. main; "
           "self: with themselves"),
    Option("--webbench-against-stack NAME", str, "against_stack",
           "compare every stack with this one, measured in the same run"),
    Option("--webbench-fail METRIC[ of SCENARIO[STACK]]: LIMIT", thresholds, "thresholds",
           "regression threshold, e.g. 'p95: 10%' or 'memory of hello: 10% and 8m'; may be repeated",
           "time: 5%, cpu: 3%, errors: 0; of counts instructions: 1%, syscalls: 2%", many=True),
    Option("--webbench-budget TIME", time, "budget_s",
           "maximum time spent on extra rounds for undecided comparisons, e.g. 90s or 5m",
           "60s per benchmark"),
    Option("--webbench-explain", bool, "explain",
           "after the timed rounds, profile each benchmark once, untimed, to show where its time goes"),
    Option("--webbench-markdown FILE", Path, "markdown",
           "write the comparison as Markdown, e.g. for a pull request, to this file"),
    Option("--webbench-invalid fail|note", choice("fail", "note"), "invalid",
           "what to do about an invalid result, or a void comparison of counts: fail its test, or note it in "
           "the tables",
           "fail in comparisons, in open loops, and if pytest-benchmark saves or compares; otherwise note"),
    Option("--webbench-strict", bool, "strict",
           "fail instead of comparing with a baseline that has another launcher, load generator, profile, "
           "number of workers or machine"),
    Option("--webbench-allow-missing", bool, "allow_missing",
           "continue if the baseline of --benchmark-compare lacks a benchmark of this run"),
    Option("--webbench-wait", bool, "wait",
           "wait while another run is measuring on this machine, instead of exiting with code 4"),
    Option("--webbench-output DIR", Path, "output",
           "directory for measurements, logs and reports", ".webbench"),
    Option("--webbench-cache DIR", Path, "cache",
           "directory for the stacks' environments", "the user's cache directory"),
)
# fmt: on


def add_options(parser: "pytest.Parser") -> None:
    """Declare every option of the table, and its ini value, to pytest."""
    group = parser.getgroup("webbench", "benchmarks of web stacks (pytest-webbench)")
    for option in OPTIONS:
        text = f"{option.help} (default: {option.default})" if option.default else option.help
        in_help = text.replace("%", "%%")  # argparse fills these in
        if not option.metavar:
            group.addoption(option.flag, action="store_true", default=None, help=in_help)
        else:
            action = "append" if option.many else "store"
            group.addoption(option.flag, action=action, default=None, metavar=option.metavar, help=in_help)
        if option.ini:
            kind: Any = "args" if option.many else "bool" if not option.metavar else "string"
            parser.addini(option.dest, text, type=kind, default=None)
