"""The engine that makes load with k6, the load generator of Grafana Labs."""

from pytest_webbench.load.k6.engine import K6Engine

__all__ = ["K6Engine"]
