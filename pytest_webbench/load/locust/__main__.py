"""``python -m pytest_webbench.load.locust``: the processes of the Locust engine, started by hand."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from pytest_webbench.load.locust.messages import parse_address

__all__ = ["main"]

_DESCRIPTION = "The processes of pytest-webbench's Locust engine."
_EPILOG = """\
The ports know no passwords: whoever reaches a master's control port can have its workers send requests to
any address, and whoever reaches the other can pose as a worker. They belong into a trusted network.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse ``arguments`` (by default those of the command line) and run; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.role == "worker":
            return _work(options)
        return _lead(options)
    except ImportError as exc:
        print(f'{exc}; install it: pip install "pytest-webbench[locust]"', file=sys.stderr)
        return 1


def _work(options: argparse.Namespace) -> int:
    host, port = options.master
    role = import_module("pytest_webbench.load.locust.worker")
    return int(role.work(host, port, patience_s=options.wait, supervised=options.supervised))


def _lead(options: argparse.Namespace) -> int:
    control = None if options.supervised else options.control
    role = import_module("pytest_webbench.load.locust.master")
    return int(role.lead(options.bind, control, workers=options.workers, patience_s=options.wait))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pytest_webbench.load.locust", description=_DESCRIPTION, epilog=_EPILOG
    )
    roles = parser.add_subparsers(dest="role", required=True, metavar="worker|master")
    worker = roles.add_parser(
        "worker",
        help="join a master and make load for it until it goes",
        description="Join a master, and carry out load after load for it until it goes.",
        epilog=_EPILOG,
    )
    worker.add_argument(
        "master", type=_address, metavar="HOST:PORT", help="where the master waits for workers"
    )
    worker.add_argument(
        "--wait",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long to try to reach a master that is not there yet (default: %(default)g)",
    )
    worker.add_argument("--supervised", action="store_true", help=argparse.SUPPRESS)
    master = roles.add_parser(
        "master",
        help="wait for workers, and for tests that want load",
        description="Wait for workers, and have them carry out the loads of tests, one test run at a time.",
        epilog=_EPILOG,
    )
    master.add_argument(
        "--workers", type=int, required=True, metavar="N", help="how many workers share a load"
    )
    master.add_argument(
        "--bind",
        type=_address,
        default="127.0.0.1:5557",
        metavar="HOST:PORT",
        help="where workers join (default: %(default)s)",
    )
    master.add_argument(
        "--control",
        type=_address,
        default="127.0.0.1:5558",
        metavar="HOST:PORT",
        help="where tests connect (default: %(default)s)",
    )
    master.add_argument(
        "--wait",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long a load waits for workers that are missing (default: %(default)g)",
    )
    master.add_argument("--supervised", action="store_true", help=argparse.SUPPRESS)
    return parser


def _address(text: str) -> tuple[str, int]:
    try:
        return parse_address(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


if __name__ == "__main__":
    sys.exit(main())
