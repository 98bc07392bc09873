"""Carries out a plan with several stacks at once, each in its own process.

For launches that do not disturb each other: those whose instructions are counted. A lane is a fork of this
process, so it has the same launcher, engine and suites, and cleans up after an interrupt in the same way.
"""

import multiprocessing
import os
import pickle
import signal
import traceback
import warnings
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from multiprocessing.connection import Connection, wait
from types import FrameType

from pytest_webbench.host.own_process import end_with
from pytest_webbench.model.errors import StackError
from pytest_webbench.model.plan import Block, Plan
from pytest_webbench.model.run import Event, StackFailed
from pytest_webbench.runs.runner import Runner

__all__ = ["run_side_by_side"]

END_TIMEOUT_S = 10.0
"""How long a lane may take to end its server before it is killed."""
_DONE = None
"""Sent by a lane after its last event."""


def run_side_by_side(runner: Runner, plan: Plan, *, lanes: int) -> Generator[Event, None, None]:
    """Carry out ``plan``, whose blocks have one stack each, with up to ``lanes`` stacks at once.

    The blocks of a stack follow each other in one lane. Otherwise like :meth:`Runner.run`: closing the
    iterator, or an exception in it, stops all running stacks at once.
    """
    yield from runner.prepare(plan)
    runner.bench.engine.close()  # a lane cannot share its processes with another
    waiting = deque(_by_stack(plan))
    running: dict[Connection, _Lane] = {}
    try:
        while (waiting or running) and not runner.stops_early():
            while waiting and len(running) < lanes:
                lane = _Lane(runner, waiting.popleft())
                running[lane.events] = lane
            for ready in wait(list(running)):
                lane = running[ready]  # type: ignore[index]
                event = lane.next_event()
                if event is None:
                    del running[lane.events]
                    lane.end()
                    continue
                runner.note(event)
                yield event
                if isinstance(event, StackFailed):
                    _end_others(event.stack, lane, running)
    finally:
        _end_all(list(running.values()))


def _by_stack(plan: Plan) -> Iterator[list[Block]]:
    blocks: dict[tuple[str, ...], list[Block]] = {}
    for block in plan.blocks:
        blocks.setdefault(block.stacks, []).append(block)
    yield from blocks.values()


def _end_others(stack: str, failed: "_Lane", running: "dict[Connection, _Lane]") -> None:
    """End the lane of ``stack`` if another lane found that it must not be measured."""
    for lane in [each for each in running.values() if each is not failed and each.stack == stack]:
        del running[lane.events]
        lane.ask_to_end()
        lane.end()


def _end_all(lanes: "Sequence[_Lane]") -> None:
    for lane in lanes:
        lane.ask_to_end()
    try:
        for lane in lanes:
            lane.end()
    except BaseException:
        for lane in lanes:
            lane.kill()
        raise


class _Lane:
    """A process that carries out the blocks of a stack, as seen by its parent."""

    def __init__(self, runner: Runner, blocks: Sequence[Block]) -> None:
        self.stack = blocks[0].stacks[0]
        self.events, theirs = multiprocessing.Pipe(duplex=False)
        self._process = multiprocessing.get_context("fork").Process(
            target=_carry_out, args=(runner, blocks, theirs, os.getpid())
        )
        with theirs, warnings.catch_warnings():
            # A thread that waits for a container engine may be left; the lane does not use its connection.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        self._is_lost = False
        """Whether it ended without a final message."""

    def next_event(self) -> Event | None:
        """Wait for the next event; ``None`` after the last one.

        Raises the lane's unexpected error, if any.
        """
        try:
            said: Event | BaseException | None = self.events.recv()
        except EOFError:
            if self._is_lost:
                return None
            self._is_lost = True
            self._process.join()
            return StackFailed(
                stack=self.stack,
                error=StackError(
                    f"{self.stack} was not measured to the end: its process ended with code "
                    f"{self._process.exitcode}",
                    hint="was it killed, or is there too little memory?",
                ),
            )
        if isinstance(said, BaseException):
            raise said
        return said

    def ask_to_end(self) -> None:
        """Have it stop its server at once, and exit."""
        self._process.terminate()

    def end(self) -> None:
        """Wait until it has exited, after its last event or when asked to."""
        self._process.join(END_TIMEOUT_S)
        self.kill()

    def kill(self) -> None:
        """Kill it unconditionally. The processes it started end with it."""
        self._process.kill()
        self._process.join()
        self.events.close()


def _carry_out(runner: Runner, blocks: Sequence[Block], out: Connection, parent: int) -> None:
    """Send the events of ``blocks``; the body of a lane's process."""
    end_with(parent)
    signal.signal(signal.SIGINT, _do_nothing)  # a terminal sends it to all; the parent decides
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        runner.begin_in_new_process()
        with closing(runner.carry_out(blocks)) as events:
            for event in events:
                out.send(event)
        out.send(_DONE)
    except KeyboardInterrupt:
        pass
    except BaseException as error:
        out.send(_sendable(error))
    finally:
        runner.bench.engine.close()


def _sendable(error: BaseException) -> BaseException:
    """Return ``error`` with its traceback as a note, because it cannot be sent.

    An error that cannot be pickled becomes text.
    """
    text = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    except Exception:
        return RuntimeError(text)
    error.add_note(text)
    return error


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """Do nothing; unlike SIG_IGN, this is not inherited by child processes."""


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    signal.signal(number, _do_nothing)
    raise KeyboardInterrupt
