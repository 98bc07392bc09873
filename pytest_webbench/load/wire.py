"""The public name of the encoder, for third-party engines: requests as bytes."""

from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.http1.wire import encode

__all__ = ["Target", "encode"]
