"""A machine's disks: opened when it is made, closed at its end, each with threads of its own."""

import os
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hospes.base.errors import HospesError, os_reason
from hospes.base.log import save_crash
from hospes.spec.disk import DiskFormat, DiskSpec

if TYPE_CHECKING:
    from hospes.storage.block import BlockDevice

THREADS_MAX: Final = 4
"""Per disk; reads of what the host has not in memory take a third of the time with as many."""
SCRATCH_DIRECTORY: Final = Path("/var/tmp")

Job = Callable[[], None]
Report = Callable[[str], None]


class DiskThreads:
    """Begins a disk's jobs in order, a few at a time; `ring` is called after each.

    A thread is started when there is a job and no thread without one. A job's error is kept in a
    log.
    """

    def __init__(self, name: str, ring: Job, report: Report) -> None:
        self.report = report
        self._name, self._ring = name, ring
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._unfinished = 0
        self._changed = threading.Condition()

    def submit(self, job: Job, /) -> None:
        """Do this soon."""
        with self._changed:
            self._unfinished += 1
            if len(self._threads) < min(self._unfinished, THREADS_MAX):
                self._start()
        self._jobs.put(job)

    def wait(self) -> None:
        """Return when all that was submitted is done."""
        with self._changed:
            self._changed.wait_for(lambda: not self._unfinished)

    def close(self) -> None:
        """Return when everything submitted is done."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _start(self) -> None:
        thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        while job := self._jobs.get():
            try:
                job()
            except Exception as error:
                save_crash(error)
            with self._changed:
                self._unfinished -= 1
                if not self._unfinished:
                    self._changed.notify_all()
            self._ring()


class Disk:
    """One open disk, on every board that is built while the machine exists."""

    def __init__(
        self, name: str, spec: DiskSpec, device: "BlockDevice", executor: DiskThreads
    ) -> None:
        self.name, self.serial, self.bus = name, spec.serial or name, spec.bus
        self.device, self.executor = device, executor

    def close(self) -> None:
        """Finish what was begun and let go of the file, whatever goes wrong on the way."""
        self.executor.close()
        try:
            self.device.flush()
        finally:
            self.device.close()


class Disks:
    """All disks of a machine; `remarks` are the sentences they had for the user, each once.

    `on_remark` gets each when it comes, in whichever thread that is.
    """

    def __init__(
        self,
        specs: Iterable[DiskSpec],
        ring: Job,
        places: Sequence[Path] = (),
        on_remark: Report | None = None,
    ) -> None:
        self.all: list[Disk] = []
        self.remarks: list[str] = []
        self._on_remark = on_remark
        try:
            for number, spec in enumerate(specs):
                name = f"disk{number}"
                executor = DiskThreads(f"hospes {name}", ring, self.report)
                self.all.append(Disk(name, spec, open_disk(spec, places), executor))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every disk; what goes wrong becomes a remark."""
        disks, self.all = self.all, []
        for disk in disks:
            try:
                disk.close()
            except HospesError as error:
                self.report(str(error))

    def settled(self) -> "list[BlockDevice]":
        """The disks' contents, once everything begun has been done."""
        for disk in self.all:
            disk.executor.wait()
        return [disk.device for disk in self.all]

    def report(self, message: str) -> None:
        """Keep a sentence for the user, and pass it on."""
        if message not in self.remarks:
            self.remarks.append(message)
            if self._on_remark is not None:
                self._on_remark(message)


def open_disk(spec: DiskSpec, places: Sequence[Path] = ()) -> "BlockDevice":
    """The image in a file, locked; or a new one that is gone when it is closed.

    Backing files may lie below `places`.
    """
    # Here, for it costs a machine without disks a part of its start.
    from hospes.storage.chain import Surroundings, open_image
    from hospes.storage.create import create_image

    base = () if spec.base is None else (spec.base.parent,)
    around = Surroundings(places=(*places, *base))
    if spec.path is not None:
        return open_image(spec.path, spec.format, writable=not spec.read_only, around=around)
    import tempfile

    directory = Path(os.environ.get("TMPDIR") or SCRATCH_DIRECTORY)
    try:
        with tempfile.TemporaryDirectory(prefix="hospes-", dir=directory) as place:
            path = Path(place) / "scratch"
            kind = spec.format or (DiskFormat.QCOW2 if spec.base else DiskFormat.RAW)
            create_image(path, spec.size_bytes, kind, backing=spec.base, around=around)
            # The file has no name once the directory is gone, so nothing can leave it behind.
            return open_image(path, kind, writable=True, around=around)
    except OSError as error:
        reason = os_reason(error)
        raise HospesError(
            f"a new disk cannot be made in {directory}: {reason}; name another place in TMPDIR"
        ) from error
