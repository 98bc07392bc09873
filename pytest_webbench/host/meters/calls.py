"""Counts the calls that the Python code of a server makes: what grew, in the words of the application."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pytest_webbench.analysis.calls import Place
from pytest_webbench.model.measurement import Combine, Readings
from pytest_webbench.model.stack import Meter, RunningStack

__all__ = ["CallMeter"]

COUNTER = Path(__file__).with_name("call_counter.py")
_START = (
    'mkdir "$1" && printf "%s" "$2" | base64 -d > "$1/sitecustomize.py" || exit; printf "\\0" > "$1/state"; '
    'export PYTEST_WEBBENCH_CALLS="$1" PYTHONPATH="$1${PYTHONPATH:+:$PYTHONPATH}" PYTHONHASHSEED=0; '
    'shift 2; exec "$@"'
)
_ORDER = """
import pathlib, sys
folder, order = pathlib.Path(sys.argv[1]), sys.argv[2]
state = folder / "state"
with state.open("r+b") as file:
    value = file.read(1)[0]
    if value % 2 == (order == "end"):
        file.seek(0)
        file.write(bytes([(value + 1) % 256]))
"""
_READ = """
import pathlib, sys
for file in pathlib.Path(sys.argv[1]).glob("calls.*"):
    if file.suffix != ".part":
        sys.stdout.write(file.read_text(encoding="utf-8"))
"""


class CallMeter(Meter):
    """Counts calls between :meth:`begin` and :meth:`end`; it reads nothing that is a metric."""

    readings: Mapping[str, Combine] = {}

    _FOLDER = "{data_dir}/calls"

    def __init__(self, wake: Callable[[RunningStack], None]) -> None:
        self._wake = wake
        self._server: RunningStack | None = None
        self.calls: Mapping[Place, int] = {}
        """How often each call was made, in all processes together."""

    def wrap(self, command: Sequence[str]) -> Sequence[str]:
        """``command`` in an environment in which each Python counts."""
        counter = base64.b64encode(COUNTER.read_bytes()).decode()
        return ("sh", "-c", _START, "sh", self._FOLDER, counter, *command)

    def attach(self, server: RunningStack) -> None:
        """Note what runs."""
        self._server = server

    def begin(self) -> None:
        """Count from the next call on."""
        self._run(_ORDER, "begin")

    def end(self) -> Readings:
        """Stop, and read what was counted; the server is woken, for it writes at its next call."""
        self._run(_ORDER, "end")
        assert self._server is not None
        self._wake(self._server)
        found: dict[Place, int] = {}
        for line in self._run(_READ).decode(errors="replace").splitlines():
            file, function, number, called, calls = json.loads(line)
            place = Place(file=file, function=function, line=number, called=called)
            found[place] = found.get(place, 0) + calls
        self.calls = found
        return Readings()

    def _run(self, script: str, *words: str) -> bytes:
        assert self._server is not None
        return self._server.execute(["-c", script, self._FOLDER, *words])
