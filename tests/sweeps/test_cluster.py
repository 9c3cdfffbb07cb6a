"""An address where something listens that is no Dask scheduler: one line, soon, and the process ends."""

import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REFUSED = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
CODE = """
import sys
from ppl_pvae import sweep
from ppl_pvae.sweeps import cluster
cluster.TIMEOUT = cluster.LEAST = 1
sys.exit(sweep.main(sys.argv[1:]))
"""


@pytest.fixture(params=["mute", "mute after a request", "refuses"])
def address(request):
    """Of a listener: one that says nothing, one that waits for the end of an HTTP request, one that answers at once."""
    server, taken = socket.create_server(("127.0.0.1", 0)), []

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:  # closed below
                return
            taken.append(connection)
            if request.param != "mute":
                connection.recv(1)
            if request.param == "refuses":
                connection.sendall(REFUSED)
                connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()
    for connection in taken:
        connection.close()


def test_what_is_no_scheduler_is_said_in_a_line(address, tmp_path, environment):
    pytest.importorskip("distributed")
    begin = time.monotonic()
    flags = ["--units", "3", "--betas", "1", "--out", str(tmp_path / "out"), "--cluster", address]
    line = [sys.executable, "-c", CODE, *flags]
    ended = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert len(ended.stderr.strip().splitlines()) == 1
    assert f"no scheduler answers at {address}" in ended.stderr
    assert time.monotonic() - begin < 15  # two, and what it takes to start
    assert not (tmp_path / "out").exists()
