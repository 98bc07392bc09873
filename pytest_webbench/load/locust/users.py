"""What the Locust users of a load do: each has a connection, and gets another one when that is gone."""

from time import perf_counter_ns
from typing import TYPE_CHECKING, cast

import gevent
from gevent.event import AsyncResult

from pytest_webbench.analysis.responses import Fault
from pytest_webbench.load.locust.channel import Channel, Ending, connect
from pytest_webbench.load.locust.run import Run
from pytest_webbench.load.native.connection import Question
from pytest_webbench.load.native.open_loop import Dispatcher
from pytest_webbench.model.load import ErrorClass

if TYPE_CHECKING:
    from pytest_webbench.load.native.open_loop import OpenUser as NativeOpenUser

__all__ = ["LoadUser", "make_user"]

_FIRST_BACK_OFF_S = 0.001
_LONGEST_BACK_OFF_S = 0.1


def make_user(run: Run) -> "LoadUser":
    """A user of ``run``."""
    return ClosedUser(run) if run.dispatcher is None else OpenUser(run, run.dispatcher)


class LoadUser:
    """What a Locust user does, from the beginning of a load to its end."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.channel: Channel | None = None
        self.fault: Fault | None = None
        """Why it has no connection."""
        self._place = run.enter(self)
        self._timeout_ns = int(run.load.timeout_s * 1e9)
        self._failures = 0
        self._number: int | None = None
        self._sent_ns = 0

    def take_part(self) -> None:
        """Connect, wait for the start, and ask until the end."""
        run = self.run
        try:
            gevent.sleep(run.place_s(self._place))
            took_ns = self.connect()
            if not run.started.is_set():
                took_ns = 0  # the time before the start is nobody's
            run.ready()
            run.started.wait()
            self._look()
            self.ask_until_the_end(took_ns)
        except Exception as exc:
            run.crash(exc)
        finally:
            self.drop()

    def ask_until_the_end(self, took_ns: int) -> None:
        """Send requests until none is left; the connect took ``took_ns`` of the load."""
        raise NotImplementedError

    def leave_open(self, now: int) -> None:
        """The load ended at ``now``: what is under way is in flight."""
        if self._number is not None:
            self.run.tally.leave_open(self._number, now - self._sent_ns)
            self._number = None

    def connect(self) -> int:
        """Get a connection, or a fault; the nanoseconds that it took."""
        began_ns = perf_counter_ns()
        run = self.run
        made = connect(run.addresses, run.load.timeout_s)
        if isinstance(made, Fault):
            self.fault = made
        else:
            self.channel = Channel(made, run.questions, run.tally)
        return perf_counter_ns() - began_ns

    def drop(self) -> None:
        """Let go of the connection."""
        if self.channel is not None:
            self.channel.close()
            self.channel = None

    def lose(self, took_ns: int) -> None:
        """The next request is lost to the fault, for it could not be sent, after ``took_ns``."""
        run = self.run
        number = run.tally.take()
        assert self.fault is not None
        run.tally.fail(number, self._question(number).exchange.request, self.fault, took_ns)
        run.stop_if_done(perf_counter_ns())

    def back_off(self) -> None:
        """Wait, for longer with each connection that gave no answer, and forget the fault."""
        self.fault = None
        gevent.sleep(min(_FIRST_BACK_OFF_S * 2 ** min(self._failures, 10), _LONGEST_BACK_OFF_S))
        self._failures += 1

    def take(self) -> None:
        """Take the next request."""
        self._number = self.run.tally.take()
        self._sent_ns = perf_counter_ns()
        self.run.asking += 1

    def ask(self, due_ns: int | None = None) -> None:
        """Send the request that was taken, which was due at ``due_ns``, and deal with its end."""
        run = self.run
        number = self._number
        if number is None:  # the load ended before it was sent
            return
        assert self.channel is not None
        question = self._question(number)
        self._sent_ns = sent_ns = perf_counter_ns()
        ending = self.channel.ask(question, sent_ns, self._timeout_ns)
        if self._number is None:  # the load ended in the meantime, and the request is in flight
            return
        self._number = None
        if ending.fault is None:
            self._count_right(ending, sent_ns, due_ns)
        else:
            run.tally.fail(number, question.exchange.request, ending.fault, ending.end_ns - sent_ns)
        if not ending.keep:
            self.drop()
        run.asking -= 1
        run.stop_if_done(ending.end_ns)
        if ending.answered:
            self._failures = 0
        elif not run.stopped:
            self.back_off()

    def _count_right(self, ending: Ending, sent_ns: int, due_ns: int | None) -> None:
        tally = self.run.tally
        took_ns = ending.end_ns - sent_ns
        ttfb_ns = ending.first_ns - sent_ns
        if due_ns is not None:
            tally.add_scheduled(took_ns + max(0, sent_ns - due_ns), ttfb_ns, took_ns)
            return
        try:
            tally.latency_ns.append(took_ns)
            tally.ttfb_ns.append(ttfb_ns)
        except OverflowError:  # the first of the two has raised it, for it is not the shorter one
            tally.add_long(took_ns, ttfb_ns)

    def _question(self, number: int) -> Question:
        questions = self.run.questions.all
        return questions[number % len(questions)]

    def _look(self) -> None:
        """See what became of the connection while the others connected."""
        if self.channel is not None and (fault := self.channel.look()):
            self.fault = fault
            self.drop()


class ClosedUser(LoadUser):
    """Asks, waits for the answer, and asks again."""

    def ask_until_the_end(self, took_ns: int) -> None:
        """Part of :class:`LoadUser`."""
        run = self.run
        while not run.stopped and not run.tally.exhausted:
            if self.fault is not None:
                self.lose(took_ns)
                self.back_off()
            elif self.channel is None:
                took_ns = self.connect()
            else:
                self.take()
                self.ask()


class OpenUser(LoadUser):
    """Sends what it is given, one request at a time."""

    def __init__(self, run: Run, dispatcher: Dispatcher) -> None:
        super().__init__(run)
        self._dispatcher = dispatcher
        self._due_ns: AsyncResult[int | None] = AsyncResult()

    def ask_until_the_end(self, took_ns: int) -> None:
        """Part of :class:`LoadUser`."""
        run = self.run
        while not run.stopped and not run.tally.exhausted:
            if self.fault is not None:
                if self._dispatcher.take_due() is not None:
                    self.lose(took_ns)
                self.back_off()
            elif self.channel is None:
                took_ns = self.connect()
            elif (due_ns := self._wait(self.channel)) is not None:
                self.ask(due_ns)
            else:
                self._look_again()

    def send(self, due: int) -> None:
        """Part of what the dispatcher knows of a user: send the next request, which was due at ``due``."""
        self.take()
        self._due_ns.set(due)

    def _wait(self, channel: Channel) -> int | None:
        """When the request was due that is to be sent now; ``None`` if the connection stirs before."""
        self._due_ns = AsyncResult()
        run = self.run
        run.loop.add_reader(channel.fileno(), self._stirred)
        try:
            self._dispatcher.free(cast("NativeOpenUser", self))
            return self._due_ns.get()
        finally:
            run.loop.remove_reader(channel.fileno())

    def _stirred(self) -> None:
        """The server closed the connection, or said something without being asked."""
        if not self._due_ns.ready():
            self._dispatcher.busy(cast("NativeOpenUser", self))
            self._due_ns.set(None)

    def _look_again(self) -> None:
        """A connection may be closed while it is free, and nothing is lost by that."""
        self._look()
        if self.fault is not None and self.fault.error is not ErrorClass.MALFORMED:
            self.fault = None
