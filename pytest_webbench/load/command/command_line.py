"""The options of ``webbench load``."""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pytest_webbench.analysis.text import mask_path, mask_url
from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.http1.wire import encode
from pytest_webbench.load.partition import DRAWS, partition
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.http import Answer, BodyRule, Exchange, Request
from pytest_webbench.model.load import Amount, Arrivals, Load, Schedule

__all__ = ["PROGRAM", "CliOptions", "read_options"]

PROGRAM = "python -m pytest_webbench.load"
_DURATION_S = 5.0
_EPILOG = """\
examples:
  {program} 'http://127.0.0.1:8000/items?limit=10' --users 20
  {program} http://127.0.0.1:8000/items --method PUT --body '{{"name": "pen"}}' \\
      --header 'Authorization: Bearer abc' --requests 1000 --expect-status 201
  {program} http://127.0.0.1:8000/items --rate 500 --arrivals poisson \\
      --duration 30 --expect-body @items.json --json

Without --rate the loop is closed: each user sends its next request once it has its response, so a
server that stands still is asked less, which percentiles do not show. With --rate the loop is
open: requests are sent when they are due, and latencies count from then.

exit code: 0 all responses were as expected; 1 requests failed, or none was completed; 2 a mistake on the
command line; 130 Ctrl-C
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CliOptions:
    """The load that the command line asks for, with one exchange, and the number of generator processes.

    ``url`` is for display, without a password or token.
    """

    url: str
    base_url: str = field(repr=False)
    load: Load
    generators: int
    draws: int | None
    as_json: bool


def read_options(arguments: Sequence[str] | None, program: str) -> CliOptions:
    """Return the options in ``arguments`` (by default those of the command line).

    ``program`` is for the help.

    Exits with code 2 and a message if they are invalid.
    """
    parser = _parser(program)
    options = parser.parse_args(arguments)
    if options.rate is None and (options.arrivals is not None or options.seed is not None):
        parser.error("--arrivals and --seed are of an open loop; give its --rate")
    try:
        return _cli_options(options)
    except LoadError as exc:
        parser.error(" ".join(str(exc).splitlines()))


def _cli_options(options: argparse.Namespace) -> CliOptions:
    parts: SplitResult = options.url
    base_url = _base_url(parts)
    target = Target.parse(base_url)
    exchange = Exchange(request=_request(options), answer=_answer(options))
    encode(exchange.request, target)  # to find mistakes before anything is started
    load = Load(
        users=options.users,
        amount=_amount(options),
        exchanges=(exchange,),
        timeout_s=options.timeout,
        schedule=_schedule(options),
    )
    generators = len(partition(load, options.generators))
    url = target.url + mask_path(parts._replace(scheme="", netloc="").geturl())
    return CliOptions(
        url=url,
        base_url=base_url,
        load=load,
        generators=generators,
        draws=options.draws,
        as_json=options.json,
    )


def _request(options: argparse.Namespace) -> Request:
    parts: SplitResult = options.url
    query = f"?{parts.query}" if parts.query else ""
    return Request(
        method=options.method or ("GET" if options.body is None else "POST"),
        path=(parts.path or "/") + query,
        body=options.body,
        headers=tuple(options.header),
    )


def _answer(options: argparse.Namespace) -> Answer:
    if options.expect_body is None:
        return Answer(status=options.expect_status)
    return Answer(status=options.expect_status, rule=BodyRule.TEXT, text=options.expect_body)


def _amount(options: argparse.Namespace) -> Amount:
    if options.requests is not None:
        return Amount(requests=options.requests)
    return Amount(duration_s=options.duration or _DURATION_S)


def _schedule(options: argparse.Namespace) -> Schedule | None:
    if options.rate is None:
        return None
    arrivals = options.arrivals or Arrivals.CONSTANT
    return Schedule(rate=options.rate, arrivals=Arrivals(arrivals), seed=options.seed or 0)


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program,
        usage="%(prog)s URL [options]",
        description="Send requests to URL with the native engine, check each response, print the results.",
        epilog=_EPILOG.format(program=program),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "url",
        type=_url,
        metavar="URL",
        help="http://[user:password@]host:port/path?query; no TLS, no Unix socket",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object, times in seconds")
    _add_load(parser.add_argument_group("load"))
    _add_exchange(parser.add_argument_group("request and expected response"))
    return parser


def _add_load(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--users", type=_count, default=50, metavar="N", help="connections (%(default)s)")
    amount = group.add_mutually_exclusive_group()
    amount.add_argument("--duration", type=_positive, metavar="SECONDS", help=f"({_DURATION_S:g})")
    amount.add_argument("--requests", type=_count, metavar="N", help="in place of a duration")
    group.add_argument("--rate", type=_positive, metavar="R", help="requests a second: an open loop")
    arrivals = [each.value for each in Arrivals]
    group.add_argument("--arrivals", choices=arrivals, help="gaps in an open loop (constant)")
    group.add_argument("--seed", type=int, metavar="N", help="of the chance in poisson arrivals (0)")
    group.add_argument(
        "--timeout", type=_positive, default=30.0, metavar="SECONDS", help="of each request (%(default)g)"
    )
    group.add_argument(
        "--draws",
        type=_count,
        metavar="N",
        help="sets of connections, one after the other, each for a part of the load (1 where the server's "
        f"processes can be seen to share them evenly, else up to {DRAWS})",
    )
    group.add_argument(
        "--generators", type=_count, default=1, metavar="N", help="processes to make the load (%(default)s)"
    )


def _add_exchange(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--method", help="(GET, or POST with a body)")
    group.add_argument("--body", type=_text, metavar="TEXT", help="or @FILE; sent as UTF-8")
    group.add_argument(
        "--header", type=_header, action="append", default=[], metavar="'NAME: VALUE'", help="once or more"
    )
    group.add_argument("--expect-status", type=_status, default=200, metavar="CODE", help="(%(default)s)")
    group.add_argument(
        "--expect-body", type=_text, metavar="TEXT", help="or @FILE; the whole body, byte for byte"
    )


# Values of the command line.


def _url(word: str) -> SplitResult:
    try:
        parts = urlsplit(word)
        Target.parse(_base_url(parts))
    except (LoadError, ValueError):
        raise argparse.ArgumentTypeError(_fault_of(word)) from None
    return parts._replace(fragment="")  # a fragment is never sent


def _base_url(parts: SplitResult) -> str:
    return f"{parts.scheme}:{'//' if parts.netloc else ''}{parts.netloc}"


def _fault_of(word: str) -> str:
    """Return what is wrong with the address ``word``, without repeating any secret in it."""
    try:
        Target.parse(word)
    except LoadError as exc:
        return f"{exc.message.rstrip('.')}; {exc.hint}"
    return f"{mask_url(word)!r} is not of the form http://host:port/path"


def _count(word: str) -> int:
    number = int(word) if word.isascii() and word.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number above 0")
    return number


def _positive(word: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{word!r} is not a number above 0")
    return number


def _status(word: str) -> int:
    number = int(word) if word.isascii() and word.isdecimal() else 0
    if not 200 <= number <= 599:
        raise argparse.ArgumentTypeError(f"{word!r} is not a status from 200 to 599")
    return number


def _header(word: str) -> tuple[str, str]:
    name, colon, value = word.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"{word!r} is not of the form 'Name: value'")
    return name.strip(), value.strip()


def _text(word: str) -> str:
    """Return ``word``, or the content of the file that it names after an ``@``."""
    if not word.startswith("@"):
        return word
    try:
        return Path(word[1:]).read_bytes().decode()
    except OSError as exc:
        raise argparse.ArgumentTypeError(f"the file {word[1:]!r} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise argparse.ArgumentTypeError(
            f"the file {word[1:]!r} is not UTF-8 (byte {exc.start}): bodies of bytes are not supported; "
            "send binary data as Base64 in text if the application can read that, and judge such a response "
            "by --expect-status alone"
        ) from exc
