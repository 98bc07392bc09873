"""``python -m pytest_webbench.load.locust``: the processes of the Locust engine, started by hand."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from pytest_webbench.load.locust.messages import parse_address

__all__ = ["main"]

_EPILOG = """\
The ports have no passwords: anyone who reaches a master's control port can make its workers send requests to
any address, and anyone who reaches the other can pose as a worker. Keep both in a trusted network.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse ``arguments`` (by default those of the command line), run, and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        role = import_module(f"pytest_webbench.load.locust.{options.role}")
    except ImportError as exc:
        print(f'{exc}; install it: pip install "pytest-webbench[locust]"', file=sys.stderr)
        return 1
    if options.role == "worker":
        return int(
            role.run_worker(*options.master, join_timeout_s=options.wait, supervised=options.supervised)
        )
    control = None if options.supervised else options.control
    return int(role.run_master(options.bind, control, workers=options.workers, join_timeout_s=options.wait))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pytest_webbench.load.locust",
        description="The processes of pytest-webbench's Locust engine.",
        epilog=_EPILOG,
    )
    roles = parser.add_subparsers(dest="role", required=True, metavar="worker|master")
    for name, what, awaited in (
        ("worker", "join a master and make load for it until it ends", "for the master to appear"),
        ("master", "wait for workers, and serve one test run at a time", "in each load for missing workers"),
    ):
        role = roles.add_parser(name, help=what, description=f"{what.capitalize()}.", epilog=_EPILOG)
        role.add_argument(
            "--wait",
            type=float,
            default=60.0,
            metavar="SECONDS",
            help=f"how long to wait {awaited} (default: %(default)g)",
        )
        role.add_argument("--supervised", action="store_true", help=argparse.SUPPRESS)
        if name == "worker":
            role.add_argument(
                "master", type=_address, metavar="HOST:PORT", help="where the master waits for workers"
            )
            continue
        role.add_argument(
            "--workers", type=int, required=True, metavar="N", help="how many workers share a load"
        )
        for option, default, where in (
            ("--bind", "127.0.0.1:5557", "where workers join"),
            ("--control", "127.0.0.1:5558", "where test runs connect"),
        ):
            role.add_argument(
                option, type=_address, default=default, metavar="HOST:PORT", help=f"{where} (%(default)s)"
            )
    return parser


def _address(text: str) -> tuple[str, int]:
    try:
        return parse_address(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


if __name__ == "__main__":
    sys.exit(main())
