"""The process of one machine: makes it, serves its socket, and writes down how it ended."""

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from hospes.base.errors import HospesError
from hospes.base.file_lock import take_lock
from hospes.base.log import save_crash
from hospes.base.progress import Progress, silent
from hospes.base.record import write_record
from hospes.machine.life import Ending, EndKind
from hospes.machine.machine import Machine
from hospes.spec.boot import BootContent
from hospes.spec.kept import (
    CONSOLE_FILE,
    ENDING_FILE,
    LOCK_FILE,
    OLDER_CONSOLE_FILE,
    RESERVE_FILE,
    SOCKET_FILE,
    STARTED_FILE,
    Boot,
    Ended,
    Started,
)
from hospes.worker.console_log import ConsoleLog
from hospes.worker.console_share import ConsoleShare
from hospes.worker.conversation import Served
from hospes.worker.server import Server

if TYPE_CHECKING:
    from hospes.guests.guest_clock import ClockKeeper

ENDING_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
RESERVE_BYTES: Final = 16 * 1024


class Worker:
    """Holds the lock of a machine's directory, and the machine, from its making to its end."""

    def __init__(self, directory: Path, boot: Boot, progress: Progress = silent) -> None:
        self._directory = directory
        self._remarks: list[str] = []
        self._lock = _locked(directory)
        try:
            self.machine = Machine(
                boot.spec,
                progress=progress,
                find_boot=_find_boot if boot.spec.from_disk else None,
                on_clock=self._clock_is_wrong,
            )
            self._clock = _clock_keeper(self.machine) if boot.spec.ports else None
            try:
                self._prepare(boot)
            except BaseException:
                self.machine.close()
                raise
        except BaseException:
            os.close(self._lock)
            raise

    def _prepare(self, boot: Boot) -> None:
        """Everything in the directory: what was left of the last run goes, the new begins."""
        here = self._directory
        started = Started(process=os.getpid(), when_s=time.time(), agent=boot.agent)
        try:
            write_record(here / STARTED_FILE, started)
            (here / ENDING_FILE).unlink(missing_ok=True)
            (here / RESERVE_FILE).write_bytes(bytes(RESERVE_BYTES))
            log = ConsoleLog(here / CONSOLE_FILE, here / OLDER_CONSOLE_FILE, self._remark)
        except OSError as error:
            raise HospesError(
                f"the directory {here} cannot be written ({error.strerror}); free some space"
            ) from error
        self.console = ConsoleShare(self.machine.console, self.machine.loop, log)
        if boot.paused:
            self.machine.pause()
        self._served = Served(self.machine, self.console, started)
        self._server = Server(here / SOCKET_FILE, self._served)

    def start(self) -> None:
        """Run the machine beside this thread; signals that ask this process to end stop it."""
        for number in ENDING_SIGNALS:
            signal.signal(number, self._signalled)
        self.machine.start()
        self._server.start()

    def run(self) -> None:
        """Wait for the end, write it down and give everything back.

        But for the lock: it goes with the process, so that who sees it free finds no process.
        """
        ending = self._await_ending()
        remarks = (*self.machine.remarks, *self._remarks)
        ended = Ended(
            kind=ending.kind.name.lower(),
            exit_code=ending.exit_code,
            when_s=time.time(),
            message=ending.message,
            remarks=remarks,
        )
        with suppress(OSError):  # That it has ended is known by the lock, too.
            (self._directory / RESERVE_FILE).unlink(missing_ok=True)
            write_record(self._directory / ENDING_FILE, ended)
        self._served.ended = ended
        if self._clock is not None:
            self._clock.close()
        self.console.close()
        self._server.close()
        self.machine.close()

    def _await_ending(self) -> Ending:
        try:
            return self.machine.wait()
        except HospesError as error:
            return Ending(EndKind.ERROR, 1, str(error))
        except Exception as error:
            path = save_crash(error)
            return Ending(EndKind.ERROR, 1, f"Hospes itself failed, the details are in {path}")

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self.machine.stop(f"by {signal.Signals(number).name}")

    def _clock_is_wrong(self) -> None:
        if self._clock is not None:
            self._clock.wake()

    def _remark(self, sentence: str) -> None:
        if sentence not in self._remarks:
            self._remarks.append(sentence)


def _find_boot(disks: Sequence[Any]) -> BootContent:
    from hospes.guests.boot_disk import find_boot_files

    return find_boot_files(disks)


def _clock_keeper(machine: Machine) -> "ClockKeeper":
    from hospes.guests.guest_clock import ClockKeeper

    return ClockKeeper(machine)


def _locked(directory: Path) -> int:
    try:
        lock = take_lock(directory / LOCK_FILE)
    except OSError as error:
        raise HospesError(
            f"the machine {directory.name!r} cannot be started: its lock cannot be had "
            f"({error.strerror or 'it was removed'})"
        ) from error
    if lock is None:
        raise HospesError(
            f"the machine {directory.name!r} is running already; 'hospes attach "
            f"{directory.name}' shows its console"
        )
    return lock
