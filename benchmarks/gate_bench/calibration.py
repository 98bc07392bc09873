"""Calibrates how many units of work make a request longer by a given growth, as the gate measures it."""

from dataclasses import dataclass
from pathlib import Path

from gate_bench.parts import PARTS, Setup
from gate_bench.repository import make_slowed
from gate_bench.runs import carry_out
from pytest_webbench.model.errors import WebbenchError

__all__ = ["Calibration", "calibrate"]

TOTAL_S = 0.003
"""CPU time of a request of the base: mostly counted work, and short enough for many rounds."""
TRIED_UNITS = 2000
TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """CPU seconds: ``own_s`` of a request without units of work, ``unit_s`` of a unit."""

    own_s: float
    unit_s: float

    @property
    def base_units(self) -> int:
        """The units of a request of the base, which make it take :data:`TOTAL_S`."""
        return max(1, round((TOTAL_S - self.own_s) / self.unit_s))

    def head_units(self, growth: float) -> int:
        """Return the units that make the whole request, not only its units, longer by ``growth``."""
        wanted_s = self.request_s(self.base_units) * (1 + growth)
        return round((wanted_s - self.own_s) / self.unit_s)

    def request_s(self, units: int) -> float:
        """Return the CPU time of a request with ``units``."""
        return self.own_s + units * self.unit_s


def calibrate(folder: Path, setup: Setup) -> Calibration:
    """Measure a request without units against one with some, below ``folder``.

    It need not be exact: an error in ``own_s`` changes the growth of the whole by no more than its share of a
    request. Raises :class:`~pytest_webbench.model.errors.WebbenchError` if CPU time is not measured.
    """
    make_slowed(folder / "repository", base=0, head=TRIED_UNITS)
    run = carry_out(
        folder / "repository",
        folder / "output",
        setup.arguments(PARTS["ab10"], 0),
        part="calibration",
        number=0,
        cells=1,
        budget_s=None,
        timeout_s=TIMEOUT_S,
    )
    cpu = next((each for each in run.found if each.metric == "cpu"), None)
    if cpu is None or not cpu.base or not cpu.head or cpu.head <= cpu.base:
        raise WebbenchError("the CPU time of the servers is not seen, so that nothing can be calibrated")
    return Calibration(own_s=cpu.base, unit_s=(cpu.head - cpu.base) / TRIED_UNITS)
