"""The messages between engines and their workers: frames of bytes, each preceded by its length."""

import json
import struct
import traceback
from array import array
from dataclasses import dataclass, replace
from typing import Any, Self

import msgspec

from pytest_webbench.model.codec import from_json, to_json
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.load import Histogram, Latencies, Load, LoadResult, Nanoseconds

__all__ = [
    "LENGTH",
    "PORT",
    "START_SIGNAL",
    "Failure",
    "LoadJob",
    "Ready",
    "frame",
    "pack_job",
    "pack_reply",
    "reply_parts",
    "unpack_head",
    "unpack_job",
    "unpack_reply",
]

LENGTH = struct.Struct("<Q")
"""The format of the length before a frame."""
START_SIGNAL = struct.Struct("<QH")
"""The start message to a worker that is ready: the moment to start, and how many :data:`PORT` follow.

If the moment is 0, the worker reopens the connections from those ports, and those that the server has
closed, and reports again that it is ready.
"""
PORT = struct.Struct("<H")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadJob:
    """A load for the worker to carry out."""

    load: Load
    base_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why the worker has no result: the parts of a :class:`~pytest_webbench.model.errors.LoadError`."""

    message: str
    evidence: str = ""
    hint: str = ""

    @classmethod
    def of(cls, exc: Exception, who: str) -> Self:
        """Return why ``who``, such as "load generator", has no result: ``exc``, or a bug of its own."""
        if isinstance(exc, LoadError):
            return cls(message=exc.message, evidence=exc.evidence, hint=exc.hint)
        return cls(message=f"The {who} failed.", evidence="".join(traceback.format_exception(exc)))

    def error(self) -> LoadError:
        """Return the error to raise for it."""
        return LoadError(self.message, evidence=self.evidence, hint=self.hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The worker has its connections, which come from ``ports``, and waits for the start message."""

    ports: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """The layout of the times that follow: type and number of samples; or of buckets, with the totals."""

    typecode: str
    count: int
    totals: tuple[int, int, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    ready: Ready | None = None
    result: LoadResult | None = None
    failure: Failure | None = None
    times: tuple[_Form, ...] = ()


def frame(payload: bytes) -> bytes:
    """Return ``payload`` preceded by its length."""
    return LENGTH.pack(len(payload)) + payload


def pack_job(job: LoadJob) -> bytes:
    """Return ``job`` as JSON, by the standard library, which can write integers of any size."""
    return json.dumps(to_json(job)).encode()


def unpack_job(payload: bytes) -> LoadJob:
    """Return the job that :func:`pack_job` wrote."""
    return from_json(LoadJob, json.loads(payload))


def reply_parts(reply: Ready | LoadResult | Failure) -> list[bytes | memoryview]:
    """Return the parts in which a reply is sent: MessagePack without the times, then the times' own memory.

    The times are not copied: they are most of the memory of a load with many requests.
    """
    if isinstance(reply, Ready):
        return [msgspec.msgpack.encode(_Reply(ready=reply))]
    if isinstance(reply, Failure):
        return [msgspec.msgpack.encode(_Reply(failure=reply))]
    times = [reply.latency_ns, reply.ttfb_ns, reply.service_ns]
    nothing = Latencies()
    bare = replace(reply, latency_ns=nothing, ttfb_ns=nothing, service_ns=nothing)
    head = _Reply(result=bare, times=tuple(map(_form, times)))
    return [
        msgspec.msgpack.encode(head, enc_hook=_to_bytes),
        *(memoryview(each).cast("B") for one in times for each in _arrays(one)),
    ]


def unpack_head(head: bytes) -> tuple[Ready | LoadResult | Failure, list[Nanoseconds]]:
    """Return the reply that begins with ``head``, and the empty arrays to read the rest into."""
    reply = msgspec.msgpack.decode(head, type=_Reply, dec_hook=_from_bytes)
    if reply.result is None:
        return reply.ready or reply.failure or Failure(message="The load worker sent an empty reply."), []
    latency_ns, ttfb_ns, service_ns = times = [_roomy(form) for form in reply.times]
    whole = replace(reply.result, latency_ns=latency_ns, ttfb_ns=ttfb_ns, service_ns=service_ns)
    return whole, [each for one in times for each in _arrays(one)]


def _form(times: Latencies) -> _Form:
    """Return the layout of ``times``, needed to receive them."""
    first = _arrays(times)[0]
    known = times.histogram
    totals = None if known is None else (known.sum_ns, known.min_ns, known.max_ns)
    return _Form(typecode=first.typecode, count=len(first), totals=totals)


def _arrays(times: Latencies) -> list[Nanoseconds]:
    known = times.histogram
    return [times.samples] if known is None else [known.buckets, known.counts]


def _roomy(form: _Form) -> Latencies:
    """Return times of that layout, all 0."""
    first = array(form.typecode, bytes(form.count * array(form.typecode).itemsize))
    if form.totals is None:
        return Latencies(first)
    sum_ns, min_ns, max_ns = form.totals
    counts = array("Q", bytes(form.count * 8))
    return Latencies(
        histogram=Histogram(buckets=first, counts=counts, sum_ns=sum_ns, min_ns=min_ns, max_ns=max_ns)
    )


def pack_reply(reply: Ready | LoadResult | Failure) -> bytes:
    """Return all parts of ``reply`` as one piece, each preceded by its length."""
    return b"".join(frame(bytes(part)) for part in reply_parts(reply))


def unpack_reply(payload: bytes) -> LoadResult | Failure:
    """Return the reply that :func:`pack_reply` wrote on a machine of the same byte order."""
    view = memoryview(payload)
    parts = []
    while view:
        end = LENGTH.size + LENGTH.unpack(view[: LENGTH.size])[0]
        parts.append(view[LENGTH.size : end])
        view = view[end:]
    reply, samples = unpack_head(bytes(parts[0]))
    assert not isinstance(reply, Ready)
    for values, part in zip(samples, parts[1:], strict=True):
        memoryview(values).cast("B")[:] = part
    return reply


def _to_bytes(value: Any) -> bytes:
    if isinstance(value, Latencies):
        return b""  # they are empty: see reply_parts
    raise NotImplementedError(f"{type(value).__name__} is not sent")


def _from_bytes(kind: Any, data: Any) -> Any:  # noqa: ARG001
    if kind is Latencies:
        return Latencies()
    raise NotImplementedError(f"{kind} is not received")
