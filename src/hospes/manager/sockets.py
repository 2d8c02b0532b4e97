"""A running machine's vsock, by the Unix socket in its directory: a port of the guest's, called."""

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from hospes.base import unix
from hospes.base.errors import HospesError
from hospes.base.progress import Progress
from hospes.manager.link import not_running
from hospes.manager.store import MachineDirectory
from hospes.spec.kept import VSOCK_FILE
from hospes.spec.vsock import check_port

BOOT_SECONDS: Final = 180.0
"""How long after its start a guest may still be getting ready to answer."""
ANSWER_SECONDS: Final = 5.0
PAUSE_SECONDS: Final = 0.2
GREETING: Final = b"OK "
GREETING_BYTES_MAX: Final = 32
READ_BYTES: Final = 1 << 16


def call_port(machine: MachineDirectory, port: int, progress: Progress) -> socket.socket:
    """A connection to a port of the guest's; while it may be booting, it is called again and again.

    HospesError if nobody answers.
    """
    check_port(port)
    task, waited = f"Waiting for vsock port {port}", False
    while True:
        found = call_once(machine, port)
        if found is not None:
            if waited:
                progress(task, 1, 1)
            return found
        if not machine.runs:
            raise not_running(machine)
        if not booting(machine):
            raise HospesError(
                f"nobody in the machine {machine.name!r} listens on vsock port {port}; "
                "start there what should"
            )
        if not waited:
            progress(task, 0, 0)
            waited = True
        time.sleep(PAUSE_SECONDS)


def booting(machine: MachineDirectory) -> bool:
    """Whether its guest may still be getting ready."""
    started = machine.started
    return started is not None and time.time() - started.when_s < BOOT_SECONDS


def call_once(machine: MachineDirectory, port: int) -> socket.socket | None:
    """The connection, if somebody answers now; nothing behind the answer is read."""
    with suppress(OSError):
        client = unix.connect(machine.path / VSOCK_FILE, ANSWER_SECONDS)
        try:
            client.sendall(f"CONNECT {port}\n".encode())
            greeting = b""
            while not greeting.endswith(b"\n") and len(greeting) < GREETING_BYTES_MAX:
                piece = client.recv(1)
                if not piece:
                    break
                greeting += piece
            if greeting.startswith(GREETING):
                client.settimeout(None)
                return client
        except OSError:
            pass
        client.close()
    return None


def hand_over(client: socket.socket, output_fd: int) -> None:
    """Give the connection itself to whoever is at the other end of a socket, as ssh is."""
    try:
        with client, socket.socket(fileno=os.dup(output_fd)) as receiver:
            socket.send_fds(receiver, [b"\0"], [client.fileno()])
    except OSError:
        raise HospesError(
            "standard output is no socket that a connection could be handed over by; "
            "leave out --fdpass"
        ) from None


def bridge(
    client: socket.socket, read: Callable[[int], bytes], output: Callable[[bytes], object]
) -> None:
    """Pass bytes on both ways until the guest sends no more; the end of `read`'s is passed on."""

    def send() -> None:
        with suppress(OSError):
            while data := read(READ_BYTES):
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)

    threading.Thread(target=send, name="hospes input", daemon=True).start()
    with client, suppress(ConnectionError):
        while data := client.recv(READ_BYTES):
            output(data)
