"""Where a server's CPU time goes: attributes samples to parts of a stack, and builds flame graphs."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice, takewhile

from pytest_webbench.model.results import (
    Attribution,
    CodeProfile,
    FlameRect,
    Interval,
    PartDifference,
    PartTime,
)

__all__ = [
    "APPLICATION",
    "OTHER",
    "PARTS",
    "SMALLEST",
    "Attributor",
    "add_machine_code",
    "attribute",
    "compare_parts",
    "flame",
    "is_idle",
    "is_python",
    "split_frame",
    "waits",
    "working_stacks",
]

APPLICATION = "application"
OTHER = "other"

_FRAMEWORK = (
    "a2wsgi/* aiohttp/* anyio/* asgiref/* blinker/* bottle.py django/* falcon/* fastapi/* flask/* "
    "flask_restful/* itsdangerous/* jinja2/* litestar/* markupsafe/* ninja/* quart/* rest_framework/* "
    "sanic/* sniffio/* starlette/* tornado/* werkzeug/*"
)
_VALIDATION = (
    "annotated_types/* attr/* attrs/* cattrs/* django/core/validators.py django/forms/* jsonschema/* "
    "marshmallow/* pydantic/* pydantic_core/* _pydantic_core* rest_framework/fields.py "
    "rest_framework/relations.py rest_framework/serializers.py rest_framework/utils/field_mapping.py "
    "rest_framework/utils/model_meta.py rest_framework/utils/serializer_helpers.py "
    "rest_framework/validators.py voluptuous/*"
)
_ORM = (
    "django/db/* flask_sqlalchemy/* peewee.py peewee/* playhouse/* pony/* sqlalchemy/* sqlmodel/* tortoise/*"
)
_DRIVER = (
    "MySQLdb/* _sqlite/* _sqlite3* aiomysql/* aiosqlite/* asyncpg/* libpq* libsqlite3* mysql/* oracledb/* "
    "psycopg/* psycopg2/* psycopg_binary/* psycopg_c/* psycopg_pool/* pymysql/* pymongo/* python3*/sqlite3/* "
    "redis/* sqlite3.c"
)
_JSON = (
    "_json.* */_json.c flask/json/* msgspec/* orjson/* python3*/json/* rapidjson* rest_framework/encoders.py "
    "rest_framework/renderers.py rest_framework/utils/json.py simplejson/* ujson*"
)
_SERVER = (
    "_asyncio.* */_asynciomodule.c _queue.* */_queuemodule.c _socket.* */socketmodule.c _ssl.* */_ssl.c "
    "select.* */selectmodule.c daphne/* granian/* gunicorn/* h11/* h2/* httptools/* hypercorn/* libssl* "
    "libuv* python3*/asyncio/* python3*/concurrent/futures/* python3*/http/server.py python3*/selectors.py "
    "python3*/socket.py python3*/socketserver.py python3*/ssl.py python3*/wsgiref/* uvicorn/* "
    "uvicorn_worker/* uvicorn_worker.py uvloop/* waitress/* websockets/* wsproto/*"
)
PARTS: Mapping[str, str] = {
    pattern: part
    for part, patterns in (
        ("framework", _FRAMEWORK),
        ("validation", _VALIDATION),
        ("ORM", _ORM),
        ("database driver", _DRIVER),
        ("JSON", _JSON),
        ("server", _SERVER),
        (APPLICATION, "./*"),
    )
    for pattern in patterns.split()
}
"""The part of a stack that a file belongs to, by a pattern of :mod:`fnmatch`; the longest match counts."""

FUNCTIONS: Mapping[str, str] = {
    "pysqlite_*": "database driver",
    "sqlite3_*": "database driver",
    "encoder_listencode_*": "JSON",
    "py_encode_basestring*": "JSON",
    "scan_once_*": "JSON",
    "sock_*": "server",
    "select_*": "server",
}
"""The same by function, for machine code built into an interpreter, where the file is the interpreter's."""

IDLE = frozenset(
    {
        "accept", "accept4", "clock_nanosleep", "epoll_pwait", "epoll_pwait2", "epoll_wait", "nanosleep",
        "pause", "poll", "ppoll", "pselect", "select", "sigtimedwait", "sigwait", "sigwaitinfo", "wait4",
        "waitid", "waitpid", "__poll", "__select",
    }
)  # fmt: skip
"""Machine-code functions in which a thread waits for an event: a request, a time, a child process."""
LOCKED = frozenset(
    {
        "do_futex_wait", "lock_PyThread_acquire_lock", "pthread_cond_clockwait", "pthread_cond_timedwait",
        "pthread_cond_wait", "pthread_mutex_lock", "sem_clockwait", "sem_timedwait", "sem_wait",
        "take_gil", "__futex_abstimed_wait_common", "PyThread_acquire_lock_timed",
        "PyThread_acquire_lock_timed_with_retries", "_queue_SimpleQueue_get_impl",
    }
)  # fmt: skip
"""Machine-code functions in which it waits for another thread: a lock, the interpreter."""
PYTHON_WAITS = frozenset(
    {
        ("accept", "socket.py"),
        ("get", "queue.py"),
        ("poll", "selectors.py"),
        ("select", "selectors.py"),
        ("sleep", "arbiter.py"),
        ("wait", "popen_fork.py"),
        ("wait", "threading.py"),
        ("wait_for_signals", "arbiter.py"),
        ("_wait_for_tstate_lock", "threading.py"),
        ("_worker", "thread.py"),
    }
)
"""The same in Python, by function and file: the innermost where machine code is not visible."""
DEPTH_OF_WAITS = 4
"""How many calls such a function may itself have made, into a C library without symbols."""

Z = 1.959964
"""The standard normal distribution lies between -Z and Z at the level of every interval that is printed."""


def split_frame(frame: str) -> tuple[str, str]:
    """Split ``frame`` into function and file, without the line; a frame in another form is a function."""
    name, bracket, place = frame.rpartition(" (")
    if not bracket or not place.endswith(")"):
        return frame, ""
    file, colon, line = place[:-1].rpartition(":")
    return name, file if colon and line.isdigit() else place[:-1]


class Attributor:
    """Tells which part of a stack a frame belongs to.

    ``parts`` are additional patterns, which take precedence over :data:`PARTS`. Results are cached, because
    the same frames occur over and over.
    """

    def __init__(self, parts: Mapping[str, str] | None = None) -> None:
        self._own = dict(parts or {})
        self._known: dict[str, str | None] = {}

    def part_of(self, frame: str) -> str | None:
        """Return the part of ``frame``; ``None`` for code of no part, such as the interpreter."""
        if frame not in self._known:
            self._known[frame] = self._find(frame)
        return self._known[frame]

    def part_of_stack(self, frames: Sequence[str]) -> str:
        """Return the part of the innermost frame that has one."""
        found = (self.part_of(frame) for frame in reversed(frames))
        return next((part for part in found if part is not None), OTHER)

    def _find(self, frame: str) -> str | None:
        function, file = split_frame(frame)
        found = _longest(file, self._own) or _longest(file, PARTS)
        return _longest(function, FUNCTIONS) if found is None and not is_python(file) else found


def _longest(text: str, patterns: Mapping[str, str]) -> str | None:
    fitting = [pattern for pattern in patterns if fnmatchcase(text, pattern)]
    return patterns[max(fitting, key=len)] if fitting else None


def is_python(file: str) -> bool:
    """Return whether a frame of ``file`` is Python, and not machine code."""
    return file.endswith(".py") or file.startswith("<")


def waits(frames: Sequence[str]) -> bool:
    """Return whether the thread with these ``frames`` only waited."""
    function, file = split_frame(frames[-1])
    if is_python(file):
        return (function.rpartition(".")[2], file.rpartition("/")[2]) in PYTHON_WAITS
    return _is_within(IDLE | LOCKED, frames)


def is_idle(frames: Sequence[str]) -> bool:
    """Return whether the thread with these ``frames``, with machine code, did not wait for another thread."""
    return _is_within(IDLE, frames)


def _is_within(functions: Set[str], frames: Sequence[str]) -> bool:
    """Return whether the innermost machine code is one of ``functions``, or was called by one."""
    machine_code = takewhile(lambda each: not is_python(each[1]), map(split_frame, reversed(frames)))
    return any(name in functions for name, _ in islice(machine_code, DEPTH_OF_WAITS))


def working_stacks(profile: CodeProfile) -> Mapping[tuple[str, ...], int]:
    """Return the frames of each stack in which the server worked, and the number of its samples."""
    found: Counter[tuple[str, ...]] = Counter()
    for stack, count in profile.stacks.items():
        frames = tuple(stack.split(";"))
        if stack and not waits(frames):
            found[frames] += count
    return found


def attribute(profile: CodeProfile) -> Attribution:
    """Attribute the time of ``profile`` to parts, by the innermost frame of each sample that has a part."""
    attributor = Attributor(profile.parts)
    stacks = working_stacks(profile)
    counts: Counter[str] = Counter()
    for frames, count in stacks.items():
        counts[attributor.part_of_stack(frames)] += count
    total = counts.total()
    times = [
        _part_time(part, count, total, profile.cpu_s_per_request) for part, count in counts.most_common()
    ]
    return Attribution(working=total, waiting=profile.samples - total, parts=tuple(times))


def _part_time(part: str, count: int, total: int, cpu_s: float | None) -> PartTime:
    share = _proportion(count, total)
    cpu_ms = None if cpu_s is None else share.scaled(cpu_s * 1000)
    return PartTime(part=part, samples=count, share=share, cpu_ms=cpu_ms)


def _proportion(count: int, total: int) -> Interval:
    """Return the share of ``count`` in ``total`` with Wilson's interval, valid for small shares too."""
    share = count / total
    centre = (share + Z**2 / (2 * total)) / (1 + Z**2 / total)
    half = Z / (1 + Z**2 / total) * math.sqrt(share * (1 - share) / total + Z**2 / (4 * total**2))
    # At the ends the formula gives 0 and 1, except for floating-point error.
    low, high = min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half))
    return Interval(estimate=share, low=low, high=high)


def compare_parts(first: CodeProfile, second: CodeProfile) -> tuple[PartDifference, ...]:
    """Return how the CPU time per request differs, part by part, the largest difference first.

    The intervals of the two sides are combined by Newcombe's method; the variation of the CPU time per
    request itself is not included. Empty where CPU time or samples are missing.
    """
    sides = [
        {part.part: part.cpu_ms for part in attribute(each).parts if part.cpu_ms is not None}
        for each in (first, second)
    ]
    if not all(sides):
        return ()
    nothing = [_nothing(first), _nothing(second)]
    found = []
    for part in dict.fromkeys([*sides[0], *sides[1]]):
        one, other = sides[0].get(part, nothing[0]), sides[1].get(part, nothing[1])
        more = one.estimate - other.estimate
        below = math.hypot(one.estimate - one.low, other.high - other.estimate)
        above = math.hypot(one.high - one.estimate, other.estimate - other.low)
        found.append(
            PartDifference(
                part=part,
                first_ms=one.estimate,
                second_ms=other.estimate,
                more_ms=Interval(estimate=more, low=more - below, high=more + above),
            )
        )
    return tuple(sorted(found, key=lambda each: -abs(each.more_ms.estimate)))


def _nothing(profile: CodeProfile) -> Interval:
    """Return the time of a part without samples: zero, with the interval that the number of samples gives."""
    assert profile.cpu_s_per_request is not None
    return _proportion(0, attribute(profile).working).scaled(profile.cpu_s_per_request * 1000)


SMALLEST = 0.004
"""The share of the samples below which calls are folded into one rectangle beside their siblings."""


@dataclass(kw_only=True)
class _Node:
    """Calls of one function from one caller."""

    label: str
    part: str
    samples: int = 0
    children: dict[str, "_Node"] = field(default_factory=dict)


def flame(profile: CodeProfile, *, smallest: float = SMALLEST) -> tuple[FlameRect, ...]:
    """Return the rectangles of ``profile``: callers before callees, siblings by decreasing samples.

    Calls of one function from one caller are one rectangle, regardless of the line. Machine code that belongs
    to no part (the interpreter, the C library) is left out, since it works for its caller. Siblings with less
    than the share ``smallest`` of all samples are folded into one.
    """
    root = _grow(profile)
    return tuple(_rects(root, depth=0, start=0, total=root.samples, least=smallest * root.samples))


def _grow(profile: CodeProfile) -> _Node:
    attributor = Attributor(profile.parts)
    root = _Node(label="", part=OTHER)
    for frames, count in working_stacks(profile).items():
        node = root
        node.samples += count
        for frame in frames:
            part = attributor.part_of(frame)
            function, file = split_frame(frame)
            if part is None and not is_python(file):
                continue
            label = f"{function} ({file})" if file else function
            child = node.children.get(label)
            if child is None:
                child = node.children[label] = _Node(label=label, part=part or node.part)
            child.samples += count
            node = child
    return root


def _rects(parent: _Node, *, depth: int, start: int, total: int, least: float) -> Iterator[FlameRect]:
    children = sorted(parent.children.values(), key=lambda each: (-each.samples, each.label))
    shown = [each for each in children if each.samples >= least]
    for child in shown:
        yield _rect(child, depth=depth, start=start, total=total)
        yield from _rects(child, depth=depth + 1, start=start, total=total, least=least)
        start += child.samples
    small = children[len(shown) :]
    samples = sum(each.samples for each in small)
    if small and samples >= least:
        label = f"{len(small)} more functions" if len(small) > 1 else small[0].label
        folded = _Node(label=label, part=parent.part, samples=samples)
        yield _rect(folded, depth=depth, start=start, total=total)


def _rect(node: _Node, *, depth: int, start: int, total: int) -> FlameRect:
    return FlameRect(
        depth=depth,
        start=start / total,
        width=node.samples / total,
        label=node.label,
        part=node.part,
        samples=node.samples,
    )


Calls = tuple[str, ...]


def add_machine_code(stacks: Mapping[str, int], deep: Mapping[str, int]) -> dict[str, int]:
    """Return ``stacks`` of Python calls, extended by the machine code that the samples ``deep`` found there.

    A profiler that looks into machine code loses samples where it cannot unwind to Python, so
    ``deep`` does not tell how often a call was sampled; ``stacks`` do. But it does tell how the time of
    one Python line divides into the machine code that it calls. So the samples of each innermost Python line
    are split in that proportion; those of a line that is not in ``deep``, in that of its function; and
    if that is missing too, they stay as they are, as do those that only wait.

    ``stacks`` are of threads that the system reports as active. So those of ``deep`` that wait for another
    thread are left out; an event loop in machine code that waits for requests is not, because it looks active
    even then.
    """
    by_line, by_function = _met(deep)
    innermost: dict[str, list[str]] = {}
    for stack in stacks:
        innermost.setdefault(stack.rpartition(";")[2], []).append(stack)
    found: Counter[str] = Counter()
    for frame, mine in innermost.items():
        known = None if waits((frame,)) else by_line.get(frame) or by_function.get(split_frame(frame))
        met: Mapping[Calls, int] = known or {(): 1}
        dealt = iter(_deal(met, sum(stacks[stack] for stack in mine)))
        for stack in sorted(mine):
            for _ in range(stacks[stack]):
                found[";".join([stack, *next(dealt)])] += 1
    return dict(found)


def _met(deep: Mapping[str, int]) -> tuple[dict[str, Counter[Calls]], dict[tuple[str, str], Counter[Calls]]]:
    """Return the machine code above each Python line, and above each function, with its number of samples."""
    by_line: dict[str, Counter[Calls]] = {}
    by_function: dict[tuple[str, str], Counter[Calls]] = {}
    for stack, count in deep.items():
        frames = tuple(stack.split(";"))
        python = [number for number, frame in enumerate(frames) if is_python(split_frame(frame)[1])]
        if python and (is_idle(frames) or not waits(frames)):
            frame, above = frames[python[-1]], frames[python[-1] + 1 :]
            by_line.setdefault(frame, Counter())[above] += count
            by_function.setdefault(split_frame(frame), Counter())[above] += count
    return by_line, by_function


def _deal(met: Mapping[Calls, int], count: int) -> Sequence[Calls]:
    """Return ``count`` items of ``met`` in its proportions, rounded, each evenly spread."""
    total = sum(met.values())
    exact = {calls: count * times / total for calls, times in met.items()}
    quotas = {calls: int(share) for calls, share in exact.items()}
    short = count - sum(quotas.values())
    for calls in sorted(exact, key=lambda each: (quotas[each] - exact[each], each))[:short]:
        quotas[calls] += 1
    places = [((number + 0.5) / quota, calls) for calls, quota in quotas.items() for number in range(quota)]
    return [calls for _, calls in sorted(places)]
