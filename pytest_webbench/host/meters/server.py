"""The built-in meter: the usage of the server's processes, wherever they run."""

from contextlib import suppress

import psutil

from pytest_webbench.analysis.metrics import READINGS
from pytest_webbench.host.meters.cgroup import CgroupMeter, MemoryPeak, folder_reader, folders_of
from pytest_webbench.host.meters.process_tree import ProcessTreeMeter
from pytest_webbench.model.measurement import Readings
from pytest_webbench.model.stack import Meter, NoMeter, RunningStack

__all__ = ["ServerMeter"]


class ServerMeter(Meter):
    """Reads CPU time, memory and the like of a container's control group or of a tree of processes.

    The accounts of a control group are read from here if it is on this machine, else inside. A server whose
    processes are not visible, or that brings its own meter, gives no readings.
    """

    readings = READINGS

    def __init__(self) -> None:
        self._meter: CgroupMeter | ProcessTreeMeter | NoMeter = NoMeter()

    def attach(self, server: RunningStack) -> None:
        """Choose the accounts to read."""
        if getattr(server, "meter", None) is not None:
            return
        pid, accounts = server.server_pid, server.accounts
        if accounts is not None:
            folders = {} if pid is None else folders_of(pid)
            read = folder_reader(folders)
            here = read("cpu.stat") is not None
            self._meter = CgroupMeter(read, MemoryPeak(folders["memory"])) if here else CgroupMeter(accounts)
        elif pid is not None:
            with suppress(psutil.Error):  # it has ended, which the measurement will report
                self._meter = ProcessTreeMeter(pid)

    def begin(self) -> None:
        """Note the accounts."""
        self._meter.begin()

    def end(self) -> Readings:
        """Return the usage since :meth:`begin`."""
        return self._meter.end()
