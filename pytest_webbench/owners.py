"""The process to which something belongs that would stay if it were killed: a container, a folder."""

import socket
from dataclasses import dataclass

import psutil

__all__ = ["Owner"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process on a machine; its start time tells it from a later one of its number."""

    host: str
    pid: int
    started: int

    @classmethod
    def ourselves(cls) -> "Owner":
        """This process."""
        return cls.of(psutil.Process())

    @classmethod
    def of(cls, process: psutil.Process) -> "Owner":
        """A process of this machine; raises :class:`psutil.Error` if it has ended."""
        return cls(host=socket.gethostname(), pid=process.pid, started=int(process.create_time()))

    @classmethod
    def parse(cls, text: str) -> "Owner | None":
        """The inverse of ``str``; ``None`` if ``text`` is something else."""
        try:
            host, pid, started = text.rsplit("/", 2)
            return cls(host=host, pid=int(pid), started=int(started))
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.host}/{self.pid}/{self.started}"

    def is_here(self) -> bool:
        """Whether it is a process of this machine."""
        return self.host == socket.gethostname()

    def lives(self) -> bool:
        """Whether the process still runs; one on another machine is taken to."""
        return not self.is_here() or self.process() is not None

    def process(self) -> psutil.Process | None:
        """The process, if it runs on this machine."""
        try:
            process = psutil.Process(self.pid)
            found = abs(process.create_time() - self.started) < 2
        except psutil.Error:
            return None
        return process if found and self.is_here() else None
