"""Whether a server that says nothing in HTTP speaks TLS."""

import socket
import ssl

from pytest_webbench.load.http1.address import Target

__all__ = ["speaks_tls"]


def speaks_tls(target: Target, *, timeout_s: float) -> bool:
    """Whether ``target`` takes the beginning of a TLS handshake for what it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection((target.host, target.port), timeout=timeout_s) as sock:
            try:
                with context.wrap_socket(sock, server_hostname=None):
                    return True
            except ssl.SSLError as error:
                # An alert, such as that a certificate of the client is missing, comes in a record of TLS.
                return "ALERT" in (error.reason or "")
    except OSError:
        return False
