"""The encoder, under the name by which engines outside of this package import it."""

from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.http1.wire import encode

__all__ = ["Target", "encode"]
