"""``python -m pytest_webbench report FILE...``: the report of saved runs, without measuring again."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pytest_webbench.errors import UsageError, printable
from pytest_webbench.reporting import KINDS, write_reports

__all__ = ["main"]

USAGE, UNREADABLE = 2, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry the command out; 0, 1 for what cannot be read or written, 2 for a wrong command."""
    given = _parser().parse_args(arguments)
    kinds = tuple(kind for kind in KINDS if getattr(given, kind)) or ("html",)
    folder = given.output or _folder_of(given.files[-1])
    try:
        for file in write_reports(given.files, kinds=kinds, folder=folder):
            print(printable(str(file)))
    except UsageError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{error.filename or folder} cannot be written: {error.strerror or error}")
    return 0


def _fail(message: str) -> int:
    sys.stderr.write(f"webbench: {printable(message)}\n")
    return UNREADABLE


def _folder_of(path: Path) -> Path:
    """The folder of a run gets its reports; beside a file that is not in one."""
    return path if path.is_dir() else path.parent


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pytest_webbench", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    report = commands.add_parser(
        "report",
        help="make the report of saved runs again",
        description="Makes the report of a saved run; of several, the last one is shown, compared with those "
        "before it. Prints the path of each file that it writes.",
    )
    report.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="the folder of a run, a file in it, or a JSON file of pytest-benchmark with figures of ours",
    )
    report.add_argument("--html", action="store_true", help="a page with charts, report.html (the default)")
    report.add_argument("--markdown", action="store_true", help="tables, report.md")
    report.add_argument("--svg", action="store_true", help="each chart as an image that scales")
    report.add_argument("--png", action="store_true", help="each chart as an image of pixels")
    report.add_argument(
        "--output", type=Path, metavar="DIR", help="where to write (default: the run's folder)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
