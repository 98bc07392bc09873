"""What one round says of each metric."""

from collections.abc import Callable

from pytest_webbench.analysis.statistics import percentiles
from pytest_webbench.model.measurement import Measurement
from pytest_webbench.model.results import Metric

__all__ = ["metric_value"]


def metric_value(measurement: Measurement, metric: Metric) -> float | None:
    """The value of ``metric`` in a round, in the metric's unit; ``None`` where it is not known."""
    if metric is Metric.ERRORS:
        return float(sum(measurement.load.errors.values()))
    return _VALUES[metric](measurement) if measurement.load.ok else None


def _time(measurement: Measurement) -> float:
    load = measurement.load
    return load.elapsed_s / load.ok if measurement.schedule is None else _mean(measurement)


def _mean(measurement: Measurement) -> float:
    return measurement.load.latency_ns.mean_ns / 1e9


def _percentile(share: float) -> Callable[[Measurement], float]:
    return lambda measurement: percentiles([measurement.load.latency_ns], (share,))[0] / 1e9


def _cpu(measurement: Measurement) -> float | None:
    cpu_s = measurement.server.cpu_s
    return None if cpu_s is None else cpu_s / measurement.load.ok


def _memory(measurement: Measurement) -> float | None:
    peak = measurement.server.peak_rss_bytes
    return None if peak is None else float(peak)


_VALUES: dict[Metric, Callable[[Measurement], float | None]] = {
    Metric.TIME: _time,
    Metric.MEAN: _mean,
    Metric.P50: _percentile(0.5),
    Metric.P95: _percentile(0.95),
    Metric.P99: _percentile(0.99),
    Metric.CPU: _cpu,
    Metric.MEMORY: _memory,
}
