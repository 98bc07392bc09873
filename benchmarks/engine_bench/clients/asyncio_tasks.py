"""Asyncio tasks that request one page in a closed loop, with uvloop and a library.

python asyncio_tasks.py aiohttp|httpx URL BODY SECONDS CONNECTIONS

Prints requests, failures, seconds and CPU seconds as JSON. Each response is compared; no latency is kept.
"""

import asyncio
import json
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial

import uvloop

Ask = Callable[[], Awaitable[bool]]
"""Sends one request; returns whether the response was the expected one."""
Load = Callable[[Sequence[Ask]], Awaitable[None]]
"""Makes the load, with one task for each ``Ask``."""


async def with_aiohttp(url: str, body: bytes, connections: int, load: Load) -> None:
    """Make the load with one session of aiohttp, without its connection limit and without cookies."""
    import aiohttp  # noqa: PLC0415 - each process needs one of the two

    async def ask() -> bool:
        async with session.get(url) as answer:
            return await answer.read() == body and answer.status == 200

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        await load([ask] * connections)


async def with_httpx(url: str, body: bytes, connections: int, load: Load) -> None:
    """Make the load with one httpx client per task.

    The pool of a client shared by 50 tasks checks all its connections on each request, which takes
    five times as long as the request itself.
    """
    import httpx  # noqa: PLC0415

    async def ask(client: httpx.AsyncClient) -> bool:
        answer = await client.get(url)
        return answer.content == body and answer.status_code == 200

    async with AsyncExitStack() as context:
        tls = ssl.create_default_context()  # made once: it takes longer than many requests
        clients = [httpx.AsyncClient(trust_env=False, verify=tls) for _ in range(connections)]
        for client in clients:
            await context.enter_async_context(client)
        await load([partial(ask, client) for client in clients])


async def closed_loop(asks: Sequence[Ask], *, seconds: float) -> None:
    """Send requests in one task for each of ``asks`` for ``seconds``, and print what ended in that time."""
    right = wrong = 0

    async def user(ask: Ask) -> None:
        nonlocal right, wrong
        while True:
            was_right = await ask()
            if time.perf_counter() > deadline_s:
                return
            right += was_right
            wrong += not was_right

    begun_s, cpu_s = time.perf_counter(), time.process_time()
    deadline_s = begun_s + seconds
    await asyncio.gather(*map(user, asks))
    taken_s = time.perf_counter() - begun_s
    cpu_s = time.process_time() - cpu_s
    # Requests that end after the deadline are neither counted nor timed, except for their CPU time.
    counted = {"requests": right, "failed": wrong, "seconds": seconds, "cpu_s": cpu_s * seconds / taken_s}
    print(json.dumps(counted))


async def main(library: str, url: str, body: str, seconds: str, connections: str) -> None:
    """Run ``library`` with the arguments of the command."""
    make = {"aiohttp": with_aiohttp, "httpx": with_httpx}[library]
    await make(url, body.encode(), int(connections), partial(closed_loop, seconds=float(seconds)))


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
