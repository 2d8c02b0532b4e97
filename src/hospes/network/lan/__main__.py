"""`python -m hospes.network.lan DIRECTORY`: a network's process; returns once it is reached.

What cannot be done is told on standard output, in a sentence.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from socket import socket
from typing import Final

from hospes.base import open_files, unix
from hospes.base.errors import HospesError
from hospes.base.file_lock import take_lock
from hospes.base.log import save_crash
from hospes.network.lan.directory import LOCK_FILE, SOCKET_FILE, LanDirectory

FAILURE: Final = 1
BACKLOG: Final = 128
PREDECESSOR_SECONDS: Final = 10.0


def main() -> int:
    """Listen, leave a process behind that serves, and return the exit code."""
    os.umask(0o077)
    directory = LanDirectory(Path(sys.argv[1]))
    try:
        lock = _locked(directory)
        listener = _listening(directory)
    except HospesError as error:
        print(error)
        return FAILURE
    if os.fork():
        return 0
    _leave_starter()
    try:
        _serve(directory, listener)
    except Exception as error:
        save_crash(error)
    finally:
        with suppress(OSError):
            (directory.path / SOCKET_FILE).unlink(missing_ok=True)
    os.close(lock)
    return 0


def _serve(directory: LanDirectory, listener: socket) -> None:
    open_files.allow_many()
    # Here, so that the starter is told soon what is wrong.
    from hospes.network.lan.exchange import Exchange

    exchange = Exchange(directory, listener)
    try:
        exchange.run()
    finally:
        (directory.path / SOCKET_FILE).unlink(missing_ok=True)
        listener.close()
        exchange.close()


def _locked(directory: LanDirectory) -> int:
    try:
        lock = take_lock(directory.path / LOCK_FILE, PREDECESSOR_SECONDS)
    except OSError as error:
        raise directory.absent from error
    if lock is None:
        raise HospesError(
            f"the process of the network {directory.name!r} does not answer; end it "
            "('hospes network inspect' tells its number) and try again"
        )
    spec = directory.spec
    if spec.bridge:
        # Here, for most networks are none.
        from hospes.network.bridge.host_bridge import put_up

        # The host may have been started anew, or somebody has removed some of it.
        put_up(directory.name, spec)
    return lock


def _listening(directory: LanDirectory) -> socket:
    path = directory.path / SOCKET_FILE
    try:
        path.unlink(missing_ok=True)  # of a process that was killed
        return unix.listen(path, BACKLOG)
    except OSError as error:
        raise HospesError(
            f"the socket {path} cannot be made ({error.strerror}); free some space"
        ) from error


def _leave_starter() -> None:
    """Nothing of the process that waits is held any more."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
