"""The figures of one load by itself, as ``python -m pytest_webbench.load`` prints them."""

from dataclasses import dataclass

from pytest_webbench.logic.statistics import percentiles
from pytest_webbench.logic.validity import draws_differ, generator_faults
from pytest_webbench.values.latencies import Latencies
from pytest_webbench.values.load import Load, LoadResult

__all__ = ["Figures", "Times", "work_out"]

_SHARES = (0.5, 0.9, 0.99, 0.999, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long the right answers of a load took; if all are known, each but the mean was really seen."""

    mean_s: float
    p50_s: float
    p90_s: float
    p99_s: float
    p999_s: float
    max_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one load says.

    ``latency`` is ``None`` without a right answer, ``service`` (from the sending of a request to the
    last byte of its answer) in a closed loop too, where it would be the same. ``requests_per_s`` are
    right answers. ``warnings`` say why the figures may be the generator's and not the server's.
    """

    load: Load
    result: LoadResult
    generators: int
    requests_per_s: float | None
    bytes_per_s: float | None
    latency: Times | None
    service: Times | None
    warnings: tuple[str, ...]

    @property
    def model(self) -> str:
        """Which loop the figures come from: those of different ones must not be compared."""
        return "closed loop" if self.load.schedule is None else "open loop"

    @property
    def all_right(self) -> bool:
        """Whether requests were completed and none failed."""
        return self.result.ok > 0 and not self.result.errors


def work_out(load: Load, result: LoadResult, *, generators: int) -> Figures:
    """The figures of ``result``, which came of ``load`` made by so many ``generators``."""
    elapsed_s = result.elapsed_s
    return Figures(
        load=load,
        result=result,
        generators=generators,
        requests_per_s=result.ok / elapsed_s if elapsed_s else None,
        bytes_per_s=result.bytes_received / elapsed_s if elapsed_s else None,
        latency=_times(result.latency_ns),
        service=_times(result.service_ns),
        warnings=(*generator_faults(result, load.schedule), *draws_differ([result])) if result.ok else (),
    )


def _times(times: Latencies) -> Times | None:
    if not times:
        return None
    p50_s, p90_s, p99_s, p999_s, max_s = (each / 1e9 for each in percentiles([times], _SHARES))
    mean_s = times.mean_ns / 1e9
    return Times(mean_s=mean_s, p50_s=p50_s, p90_s=p90_s, p99_s=p99_s, p999_s=p999_s, max_s=max_s)
