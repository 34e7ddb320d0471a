"""A server of an app as a process of its own, for browsers and for clients that speak its protocol."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, NamedTuple

import psutil

ROOT = Path(__file__).parent.parent


class Server(NamedTuple):
    """A server that answers."""

    address: str
    process: psutil.Process
    log: IO[bytes]

    @property
    def resident_bytes(self) -> int:
        """Its resident memory now."""
        return int(self.process.memory_info().rss)

    @property
    def printed(self) -> str:
        """What it has printed so far, tracebacks among it."""
        here = self.log.tell()  # the server writes on from its own place
        return os.pread(self.log.fileno(), 2**20, max(0, here - 2**20)).decode(errors="replace")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def serving(
    app: Path = ROOT / "app.py",
    launcher: Sequence[str] = ("-m", "streamlit"),
    environment: Mapping[str, str] | None = None,
    port: int | None = None,
) -> Iterator[Server]:
    """Run an app on a server of its own, on a free port unless one is given.

    launcher: Python's arguments that start Streamlit.
    environment: variables to set beyond this process's.
    """
    port = port or free_port()
    command = [sys.executable, *launcher, "run", str(app), "--server.headless=true"]
    options = [f"--server.port={port}", "--server.address=127.0.0.1", "--browser.gatherUsageStats=false"]
    env = {**os.environ, **(environment or {})}
    with TemporaryFile() as log:
        server = subprocess.Popen([*command, *options], cwd=ROOT, stdout=log, stderr=log, env=env)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_until_answered(f"{address}/_stcore/health", server)
            yield Server(address, psutil.Process(server.pid), log)
        finally:
            server.terminate()
            server.wait()


def wait_until_answered(url: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers at an address.

    Raises RuntimeError when it ends instead, or takes too long.
    """
    for _ in range(600):
        if server.poll() is not None:
            raise RuntimeError(f"the server has ended with exit code {server.returncode}")
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError(f"the server does not answer at {url}")
