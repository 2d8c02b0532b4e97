"""The real QEMU agent on this host, and TCP sockets in place of a guest's ports.

bash opens /dev/tcp/HOST/PORT as it opens a file, so the supervisor needs no other script: the
directory of the ports is /dev/tcp/127.0.0.1, and their names are numbers.
"""

import contextlib
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from hospes.base.errors import PortBusy
from hospes.guests.ports import AGENT_PORT

DIRECTORY = "/dev/tcp/127.0.0.1"


def find_agent() -> str:
    """The agent's path; where it is absent the test is skipped."""
    path = shutil.which("qemu-ga") or shutil.which("/usr/sbin/qemu-ga")
    if path is None:
        pytest.skip("there is no qemu-ga here; install qemu-guest-agent")
    for program in ("bash", "setsid", "setpriv", "script"):
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program} here")
    return path


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Move bytes one way until their end, and pass the end on."""
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


class StandInPorts:
    """Satisfies GuestPorts: the agent's Unix socket, and a listening TCP socket for each stream."""

    def __init__(self, agent: Path, streams: int = 24) -> None:
        self.agent = agent
        self.listening = {}
        for _ in range(streams):
            server = socket.create_server(("127.0.0.1", 0))
            self.listening[str(server.getsockname()[1])] = server
        self.held: dict[str, socket.socket] = {}
        self.opened: list[str] = []

    def stream_names(self) -> Sequence[str]:
        return tuple(self.listening)

    def open_port(self, name: str) -> socket.socket:
        held = self.held.get(name)
        if held is not None and held.fileno() >= 0:
            raise PortBusy(f"the port {name} is in use")
        if name == AGENT_PORT:
            self.held[name] = socket.socket(socket.AF_UNIX)
            self.held[name].connect(str(self.agent))
            return self.held[name]
        self.opened.append(name)
        ours, theirs = socket.socketpair()
        threading.Thread(target=self.serve, args=(name, theirs), daemon=True).start()
        self.held[name] = ours
        return ours

    def serve(self, name: str, host: socket.socket) -> None:
        """Join one opener in the "guest" to the host's end."""
        server = self.listening[name]
        server.settimeout(20)
        with contextlib.suppress(OSError), host:
            guest, _ = server.accept()
            with guest:
                other = threading.Thread(target=pump, args=(host, guest), daemon=True)
                other.start()
                pump(guest, host)
                other.join()

    def free(self) -> bool:
        """Whether the host holds no port."""
        return all(held.fileno() < 0 for held in self.held.values())

    def close(self) -> None:
        for server in self.listening.values():
            server.close()


@contextlib.contextmanager
def running_agent(directory: Path, *options: str) -> Iterator[Path]:
    """The agent on a Unix socket."""
    path = directory / "agent.socket"
    command = [find_agent(), "--method=unix-listen", f"--path={path}", f"--statedir={directory}"]
    command += [f"--pidfile={directory}/agent.pid", *options]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        limit = time.monotonic() + 10
        while not path.exists() and time.monotonic() < limit:
            time.sleep(0.01)
        yield path
        process.kill()


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandInPorts]:
    with running_agent(tmp_path_factory.mktemp("agent")) as path:
        stand_in = StandInPorts(path)
        yield stand_in
        stand_in.close()
