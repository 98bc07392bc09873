"""``python -m pytest_webbench report FILE...``: the report of saved runs, without measuring again."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pytest_webbench.host.plain_output import plain_output
from pytest_webbench.model.errors import UsageError, printable
from pytest_webbench.runs.store import MOST_BYTES
from pytest_webbench.session.reports import KINDS, write_reports

__all__ = ["main"]

USAGE, UNWRITABLE = 2, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry the command out.

    0: written; 1: it cannot be written; 2: a wrong command, or what cannot be read.
    """
    given = _parser().parse_args(arguments)
    with plain_output():
        return _report(given)


def _report(given: argparse.Namespace) -> int:
    kinds = tuple(kind for kind in KINDS if getattr(given, kind)) or ("html",)
    folder = given.output or _folder_of(given.files[-1])
    try:
        for file in write_reports(given.files, kinds=kinds, folder=folder, most_bytes=given.most):
            print(printable(str(file)))
    except UsageError as error:
        return _fail(str(error), USAGE)
    except OSError as error:
        return _fail(f"{error.filename or folder} cannot be written: {error.strerror or error}", UNWRITABLE)
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError) as error:
        # Values of the right types that no run has. What a stranger wrote is told in one sentence.
        words = " ".join(str(error).split())[:200]
        return _fail(
            f"{given.files[-1]} cannot be shown: it is damaged, or no run of ours "
            f"({type(error).__name__}: {words})",
            USAGE,
        )
    return 0


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"webbench: {printable(message)}\n")
    return code


def _size(text: str) -> int:
    """A number of bytes, with or without k, m or g."""
    factor = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}.get(text[-1:].lower(), 1)
    digits = text[:-1] if factor > 1 else text
    if not digits.isdecimal() or not int(digits):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 512m or 2g")
    return int(digits) * factor


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
        "--most",
        type=_size,
        default=MOST_BYTES,
        metavar="SIZE",
        help="how large a run may be as it stands and unpacked, such as 2g (default: 1g); of that, one "
        "document or line may be a sixteenth",
    )
    report.add_argument(
        "--output", type=Path, metavar="DIR", help="where to write (default: the run's folder)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
