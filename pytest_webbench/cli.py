"""The command ``webbench``, also ``python -m pytest_webbench``: everything but ``pytest --webbench``."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pytest_webbench.host.plain_output import plain_output
from pytest_webbench.model.errors import UsageError, printable
from pytest_webbench.runs.store import MOST_BYTES
from pytest_webbench.session.output.reports import KINDS, write_reports

__all__ = ["main"]

USAGE, UNWRITABLE = 2, 1
_DESCRIPTION = "Stacks are measured by pytest --webbench; these commands go with it."
_EPILOG = """\
webbench COMMAND --help shows the options of a command.

exit code: 0 done; 2 a mistake on the command line, or a file that cannot be read; others as the command says
"""


class Command(NamedTuple):
    """One command: its line in the help, and a function that takes the arguments after its name."""

    help: str
    carry_out: Callable[[Sequence[str]], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out the command that ``arguments`` name, by default those of the program; return the exit code.

    A mistake on the command line ends the program with 2.
    """
    given = _parser().parse_args(arguments)
    with plain_output():
        return COMMANDS[given.command].carry_out(given.arguments)


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.help}" for name, command in COMMANDS.items()]
    parser = argparse.ArgumentParser(
        prog="webbench",
        usage="%(prog)s COMMAND [options]",
        description="\n".join([_DESCRIPTION, "", "commands:", *lines]),
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"webbench: {printable(message)}\n")
    return code


# --- the commands -----------------------------------------------------------------------------------


def _list(words: Sequence[str]) -> int:
    import pytest  # noqa: PLC0415

    parser = argparse.ArgumentParser(
        prog="webbench list",
        usage="%(prog)s [options of pytest]",
        description="Shows the stacks, scenarios and profiles that pytest --webbench knows in this folder. "
        "Options of pytest, such as --webbench-profile or --rootdir, are passed on to it.",
        epilog="exit code: 0, or 4 for a mistake, as of pytest",
    )
    _, passed_on = parser.parse_known_args(words)
    return int(pytest.main(["--webbench-list", *passed_on]))


def _prune(words: Sequence[str]) -> int:
    from pytest_webbench.session.output.listing import print_pruned  # noqa: PLC0415

    argparse.ArgumentParser(
        prog="webbench prune",
        description="Removes the containers that killed runs left behind, and the images of all stacks, and "
        "prints their names. Containers of runs in progress stay.",
        epilog="exit code: 0, or 2 if no container engine responds",
    ).parse_args(words)
    try:
        print_pruned()
    except UsageError as error:
        return _fail(str(error), USAGE)
    return 0


def _load(words: Sequence[str]) -> int:
    from pytest_webbench.load.command.run import main as load  # noqa: PLC0415

    return load(words, program="webbench load")


def _report(words: Sequence[str]) -> int:
    """Write the report.

    Exit codes: 0 written; 1 cannot be written; 2 a usage error, or a file cannot be read.
    """
    given = _report_parser().parse_args(words)
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
        # Values of the right types that no run has, in a file from elsewhere.
        why = " ".join(str(error).split())[:200]
        return _fail(
            f"{given.files[-1]} cannot be shown: it is damaged, or not a run of ours "
            f"({type(error).__name__}: {why})",
            USAGE,
        )
    return 0


def _report_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="webbench report",
        description="Makes the report of a saved run; of several, the last one is shown, compared with those "
        "before it. Prints the path of each file that it writes.",
        epilog="exit code: 0 written; 1 cannot be written; 2 a usage error, or a file cannot be read",
    )
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="the folder of a run, a file in it, or a JSON file of pytest-benchmark with our results",
    )
    parser.add_argument("--html", action="store_true", help="a page with charts, report.html (the default)")
    parser.add_argument("--markdown", action="store_true", help="tables, report.md")
    parser.add_argument("--svg", action="store_true", help="each chart as a vector image")
    parser.add_argument("--png", action="store_true", help="each chart as a bitmap image")
    parser.add_argument(
        "--most",
        type=_size,
        default=MOST_BYTES,
        metavar="SIZE",
        help="largest size of a run, packed and unpacked, e.g. 2g (default: 1g); a document or line may have "
        "a sixteenth of it",
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="where to write (default: the run's folder)"
    )
    return parser


def _size(text: str) -> int:
    """Return a number of bytes, with or without k, m or g."""
    factor = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}.get(text[-1:].lower(), 1)
    digits = text[:-1] if factor > 1 else text
    if not digits.isdecimal() or not int(digits):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 512m or 2g")
    return int(digits) * factor


def _folder_of(path: Path) -> Path:
    """Return the folder of a run, or the one that contains the file."""
    return path if path.is_dir() else path.parent


COMMANDS = {
    "list": Command("show the stacks, scenarios and profiles of pytest --webbench", _list),
    "report": Command("make the report of saved runs again", _report),
    "load": Command("send a load to one URL, without a stack and without pytest", _load),
    "prune": Command("remove containers that killed runs left behind, and the images of stacks", _prune),
}
