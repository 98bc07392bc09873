"""Counts the calls that the Python code of a server makes, to show growth in the terms of the application."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pytest_webbench.analysis.calls import plain_name
from pytest_webbench.model.errors import StackError
from pytest_webbench.model.growth import Place
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
if order == "begin":
    for old in folder.glob("calls.*"):
        old.unlink()
"""
_READ = """
import json, linecache, pathlib, sys
for file in pathlib.Path(sys.argv[1]).glob("calls.*"):
    if file.suffix != ".part":
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if len(row) > 1:
                row.append(linecache.getline(row[0], row[2]).strip()[:200])
            print(json.dumps(row))
"""


class CallMeter(Meter):
    """Counts calls between :meth:`begin` and :meth:`end`; its readings contain no metric."""

    readings: Mapping[str, Combine] = {}

    _FOLDER = "{data_dir}/calls"

    def __init__(self, wake: Callable[[RunningStack], None]) -> None:
        self._wake = wake
        self._server: RunningStack | None = None
        self.calls: Mapping[Place, int] = {}
        """How often each call was made, in all processes together."""
        self.folders: Sequence[str] = ()
        """The folders in which the server was started."""

    def wrap(self, command: Sequence[str]) -> Sequence[str]:
        """Return ``command`` in an environment in which each Python counts."""
        counter = base64.b64encode(COUNTER.read_bytes()).decode()
        return ("sh", "-c", _START, "sh", self._FOLDER, counter, *command)

    def attach(self, server: RunningStack) -> None:
        """Note the running server."""
        self._server = server

    def begin(self) -> None:
        """Count from the next call on."""
        self._run(_ORDER, "begin")

    def end(self) -> Readings:
        """Stop, and read the counts; the server is woken, because it writes at its next call.

        Raises :class:`~pytest_webbench.model.errors.StackError` if nothing was counted.
        """
        self._run(_ORDER, "end")
        assert self._server is not None
        self._wake(self._server)
        calls: dict[Place, int] = {}
        folders: dict[str, None] = {}
        for line in self._run(_READ).decode(errors="replace").splitlines():
            match json.loads(line):
                case [folder]:
                    folders[folder] = None
                case [file, function, number, called, count, source]:
                    place = Place(
                        file=file,
                        function=plain_name(function),
                        line=number,
                        called=plain_name(called),
                        source=source,
                    )
                    calls[place] = calls.get(place, 0) + count
        if not calls:
            raise StackError(
                f"no Python of {self._server.stack.name} said which calls it made",
                hint="start Python in its command without -I, -E and -S, and pass PYTHONPATH on",
            )
        self.calls, self.folders = calls, tuple(folders)
        return Readings()

    def _run(self, script: str, *words: str) -> bytes:
        assert self._server is not None
        return self._server.execute(["-c", script, self._FOLDER, *words])
