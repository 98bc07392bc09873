"""What the native engine and its worker say to each other: frames of bytes, each after its length."""

import json
import struct
from array import array
from dataclasses import dataclass
from typing import Any

import msgspec

from pytest_webbench.values.codec import from_json, to_json
from pytest_webbench.values.load import Load, LoadResult

__all__ = ["LENGTH", "Failure", "Order", "frame", "pack_order", "pack_reply", "unpack_order", "unpack_reply"]

LENGTH = struct.Struct("<Q")
"""How the length of a frame is written in front of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the worker is to do."""

    load: Load
    base_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why the worker has no result: the parts of a :class:`~pytest_webbench.errors.LoadError`."""

    message: str
    evidence: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    result: LoadResult | None = None
    failure: Failure | None = None


def frame(payload: bytes) -> bytes:
    """``payload`` with its length in front."""
    return LENGTH.pack(len(payload)) + payload


def pack_order(order: Order) -> bytes:
    """``order`` as JSON by the standard library, which can write integers of any size."""
    return json.dumps(to_json(order)).encode()


def unpack_order(payload: bytes) -> Order:
    """The order that :func:`pack_order` has written."""
    return from_json(Order, json.loads(payload))


def pack_reply(reply: LoadResult | Failure) -> bytes:
    """``reply`` as MessagePack, with latencies as the bytes that they are in memory."""
    whole = _Reply(failure=reply) if isinstance(reply, Failure) else _Reply(result=reply)
    return msgspec.msgpack.encode(whole, enc_hook=_to_bytes)


def unpack_reply(payload: bytes) -> LoadResult | Failure:
    """The reply that :func:`pack_reply` has written, on the same machine."""
    reply = msgspec.msgpack.decode(payload, type=_Reply, dec_hook=_from_bytes)
    if reply.result is not None:
        return reply.result
    return reply.failure or Failure(message="The load worker sent an empty reply.")


def _to_bytes(value: Any) -> bytes:
    if isinstance(value, array):
        return value.tobytes()
    raise NotImplementedError(f"{type(value).__name__} is not sent")


def _from_bytes(kind: Any, data: Any) -> Any:
    if kind is array:
        values = array("Q")
        values.frombytes(data)
        return values
    raise NotImplementedError(f"{kind} is not received")
