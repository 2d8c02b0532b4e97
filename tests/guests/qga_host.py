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
from hospes.spec.ports import AGENT_PORT

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


def pump(source: socket.socket, sink: socket.socket, pass_end: bool = True) -> None:
    """Move bytes one way until their end."""
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        if pass_end:
            sink.shutdown(socket.SHUT_WR)


class Stream:
    """A port that a program on this host opens in place of one in a guest, one at a time."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.name = str(self.server.getsockname()[1])
        self.host: socket.socket | None = None
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                guest, _ = self.server.accept()
                host, self.host = self.host, None
                if host is None:
                    guest.close()
                else:
                    threading.Thread(target=self.join, args=(host, guest), daemon=True).start()

    def join(self, host: socket.socket, guest: socket.socket) -> None:
        other = threading.Thread(target=pump, args=(host, guest), daemon=True)
        other.start()
        pump(guest, host)
        other.join()
        host.close()
        guest.close()


class StandInPorts:
    """Satisfies GuestPorts: a connection to the agent, which outlives those who open its port, and
    a listening TCP socket for each stream."""

    def __init__(self, agent: Path, streams: int = 24) -> None:
        self.agent = socket.socket(socket.AF_UNIX)
        self.agent.connect(str(agent))
        self.client: socket.socket | None = None
        threading.Thread(target=self.answer, daemon=True).start()
        self.streams = {stream.name: stream for stream in (Stream() for _ in range(streams))}
        self.held: dict[str, socket.socket] = {}
        self.lock = threading.Lock()

    def stream_names(self) -> Sequence[str]:
        return tuple(self.streams)

    def open_port(self, name: str) -> socket.socket:
        with self.lock:
            held = self.held.get(name)
            if held is not None and held.fileno() >= 0:
                raise PortBusy(f"the port {name} is in use")
            self.held[name], theirs = socket.socketpair()
            ours = self.held[name]
        if name == AGENT_PORT:
            self.client = theirs
            threading.Thread(target=pump, args=(theirs, self.agent, False), daemon=True).start()
        else:
            self.streams[name].host = theirs
        return ours

    def answer(self) -> None:
        """Give what the agent says to who has its port open, or to nobody."""
        with contextlib.suppress(OSError):
            while data := self.agent.recv(1 << 16):
                with contextlib.suppress(OSError):
                    if self.client is not None:
                        self.client.sendall(data)

    def free(self) -> bool:
        """Whether the host holds no port."""
        return all(held.fileno() < 0 for held in self.held.values())

    def close(self) -> None:
        self.agent.close()
        for stream in self.streams.values():
            stream.server.shutdown(socket.SHUT_RDWR)
            stream.server.close()


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


@contextlib.contextmanager
def stand_in(directory: Path, streams: int = 24) -> Iterator[StandInPorts]:
    """Ports with the real agent behind them."""
    with running_agent(directory) as path:
        ports = StandInPorts(path, streams)
        yield ports
        ports.close()
