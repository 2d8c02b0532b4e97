"""Reaching a network's process, which is started by the first who needs it."""

import os
import socket
import subprocess
import sys
import time
from typing import Final, TypeVar

from hospes.base import unix
from hospes.base.asking import pack_request
from hospes.base.errors import HospesError
from hospes.base.file_lock import take_lock
from hospes.base.paths import module_path
from hospes.network.framing import LENGTH_BYTES, with_length
from hospes.network.lan.directory import LOG_FILE, SOCKET_FILE, START_FILE, LanDirectory
from hospes.network.lan.messages import (
    LONGEST_BYTES,
    AnyRequest,
    Plug,
    Plugged,
    unpack_answer,
)

Kind = TypeVar("Kind")

ANSWER_SECONDS: Final = 10.0
START_SECONDS: Final = 30.0


def ask(directory: LanDirectory, request: AnyRequest, kind: type[Kind]) -> Kind:
    """What the network's process answers, which has to run; HospesError when it does not."""
    try:
        with unix.connect(directory.path / SOCKET_FILE, ANSWER_SECONDS) as connection:
            data = _exchange(connection, request)
    except (OSError, EOFError) as error:
        raise HospesError(
            f"the process of the network {directory.name!r} does not answer; try again"
        ) from error
    return unpack_answer(data, kind)


def plug_in(directory: LanDirectory, mac: str, name: str) -> tuple[socket.socket, str]:
    """A cable to the network's switch, and the address of the machine at its end.

    The process is started if need be. One that is about to end hangs up, and is followed by
    another.
    """
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return _plugged(directory, mac, name)
        except (OSError, EOFError) as error:
            if time.monotonic() >= deadline:
                raise HospesError(
                    f"the process of the network {directory.name!r} does not answer "
                    f"({str(error).lower() or 'it hangs up'}); see {directory.path / LOG_FILE}"
                ) from error
        _start(directory, deadline)


def _plugged(directory: LanDirectory, mac: str, name: str) -> tuple[socket.socket, str]:
    connection = unix.connect(directory.path / SOCKET_FILE, ANSWER_SECONDS)
    try:
        return connection, unpack_answer(_exchange(connection, Plug(mac, name)), Plugged).address
    except BaseException:
        connection.close()
        raise


def _exchange(connection: socket.socket, request: AnyRequest) -> bytes:
    """The answer, and no byte beyond it; EOFError when the other end hangs up."""
    connection.sendall(with_length(pack_request(request)))
    size = int.from_bytes(_receive(connection, LENGTH_BYTES))
    if size > LONGEST_BYTES:
        raise EOFError(f"an answer of {size} bytes")
    return _receive(connection, size)


def _receive(connection: socket.socket, count: int) -> bytes:
    """Exactly so many bytes."""
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def _start(directory: LanDirectory, deadline: float) -> None:
    """Start the process, unless somebody else just has."""
    try:
        lock = take_lock(directory.path / START_FILE, max(0.0, deadline - time.monotonic()))
    except OSError as error:
        raise directory.absent from error
    if lock is None:
        return
    try:
        if not _listens(directory):
            _run(directory)
    finally:
        os.close(lock)


def _listens(directory: LanDirectory) -> bool:
    try:
        unix.connect(directory.path / SOCKET_FILE, ANSWER_SECONDS).close()
    except OSError:
        return False
    return True


def _run(directory: LanDirectory) -> None:
    """The process leaves another behind, which is nobody's child, and ends when that listens."""
    try:
        with (directory.path / LOG_FILE).open("ab") as log:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "hospes.network.lan", str(directory.path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                cwd="/",
                env=os.environ | {"PYTHONPATH": module_path()},
                timeout=START_SECONDS,
                check=False,
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HospesError(
            f"the process of the network {directory.name!r} cannot be started ({error}); see "
            f"{directory.path / LOG_FILE}"
        ) from error
    if done.returncode:
        said = done.stdout.decode(errors="replace").strip()
        raise HospesError(
            said or f"the process of the network {directory.name!r} ended before it listened; "
            f"see {directory.path / LOG_FILE}"
        )
