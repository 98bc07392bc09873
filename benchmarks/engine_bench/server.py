"""The server under load: nginx with a page that costs next to nothing, or any other server."""

import json
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Protocol

import httpx

from engine_bench.machine import pinned_to
from pytest_webbench.model.errors import StartError

__all__ = ["Nginx", "Page", "Server", "run_nginx"]

BODY = json.dumps({"message": "Hello, World!"}, separators=(",", ":"))
START_TIMEOUT_S = 10.0
END_TIMEOUT_S = 5.0
CONFIG = Template("""
daemon off;
worker_processes 1;
pid $folder/nginx.pid;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path $folder/client;
    proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
    server {
        listen 127.0.0.1:$port;
        default_type application/json;
        location = /hello { return 200 '$body'; }
        location = /varied { add_header X-Request $$connection.$$connection_requests; return 200 '$body'; }
        location = /status { stub_status; }
    }
}
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """``GET path`` of ``base_url``, whose response is always 200 and ``body``, a JSON text."""

    base_url: str
    path: str
    body: str

    @property
    def url(self) -> str:
        """The complete URL."""
        return self.base_url + self.path


class Server(Protocol):
    """A running server."""

    @property
    def page(self) -> Page:
        """The page to request."""
        ...

    @property
    def pid(self) -> int:
        """The process id of its first process."""
        ...

    @property
    def about(self) -> str:
        """Its name and version."""
        ...

    def served(self) -> int | None:
        """Return how many requests it has begun to serve so far, by its own count.

        ``None`` if it has none.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Nginx:
    """nginx with one worker process."""

    page: Page
    pid: int
    about: str

    def served(self) -> int:
        """Return the count of ``stub_status``, which includes the request that reads it."""
        status = httpx.get(f"{self.page.base_url}/status", trust_env=False).text
        found = re.search(r"^\s*\d+ \d+ (\d+)\s*$", status, re.MULTILINE)
        assert found is not None, status
        return int(found[1])


@contextmanager
def run_nginx(core: int, *, varied: bool) -> Iterator[Nginx]:
    """Start nginx on ``core`` and a free port of 127.0.0.1; end it when the context is left.

    Its responses are identical for a second, until their Date changes. If they are ``varied``, each has
    a unique header, so that no client can recognise one by its bytes.
    Raises :class:`~pytest_webbench.model.errors.StartError` if it is not installed or does not start.
    """
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin") or shutil.which("nginx")
    if program is None:
        raise StartError("nginx is not installed.", hint="apt-get install nginx-light")
    with tempfile.TemporaryDirectory(prefix="webbench-nginx-") as folder:
        port = _free_port()
        config = Path(folder, "nginx.conf")
        config.write_text(CONFIG.substitute(folder=folder, port=port, body=BODY))
        log = Path(folder, "error.log")
        command = [program, "-p", folder, "-e", str(log), "-c", str(config)]
        with pinned_to(core):
            # Its own session: Ctrl-C goes to this process, which ends the generator first.
            process = subprocess.Popen(command, start_new_session=True)
        try:
            path = "/varied" if varied else "/hello"
            page = Page(base_url=f"http://127.0.0.1:{port}", path=path, body=BODY)
            _wait_until_ready(process, page, log)
            yield Nginx(page=page, pid=process.pid, about=_about(program, path))
        finally:
            _end(process)


def _about(program: str, path: str) -> str:
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr
    return f"GET {path} of {said.strip().removeprefix('nginx version: ')} with one worker process"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(process: "subprocess.Popen[bytes]", page: Page, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(httpx.TransportError):
            if httpx.get(page.url, trust_env=False).text == page.body:
                return
        time.sleep(0.02)
    evidence = log.read_text() if log.exists() else ""
    raise StartError("nginx did not start.", evidence=evidence)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ask nginx to end, with its worker; a master that does not is killed."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
