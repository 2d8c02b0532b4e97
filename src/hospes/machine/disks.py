"""A machine's disks: opened when it is made, closed at its end, each with a thread of its own."""

import os
import queue
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hospes.base.errors import HospesError
from hospes.base.log import save_crash
from hospes.spec.disk import DiskFormat, DiskSpec

if TYPE_CHECKING:
    from hospes.storage.block import BlockDevice

SCRATCH_DIRECTORY: Final = Path("/var/tmp")

Job = Callable[[], None]
Report = Callable[[str], None]


class DiskThread:
    """Does a disk's jobs, one after the other; `ring` is called after each.

    The thread is started with the first job. A job's error is kept in a log.
    """

    def __init__(self, name: str, ring: Job, report: Report) -> None:
        self.report = report
        self._name, self._ring = name, ring
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, job: Job, /) -> None:
        """Do this when what was submitted before is done."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._thread.start()
        self._jobs.put(job)

    def close(self) -> None:
        """Return when everything submitted is done."""
        self._jobs.put(None)
        if self._thread is not None:
            self._thread.join()

    def _serve(self) -> None:
        while job := self._jobs.get():
            try:
                job()
            except Exception as error:
                save_crash(error)
            self._ring()


class Disk:
    """One open disk, on every board that is built while the machine exists."""

    def __init__(self, name: str, serial: str, device: "BlockDevice", thread: DiskThread) -> None:
        self.name, self.serial = name, serial
        self.device, self.thread = device, thread

    def close(self) -> None:
        """Finish what was begun and let go of the file, whatever goes wrong on the way."""
        self.thread.close()
        try:
            self.device.flush()
        finally:
            self.device.close()


class Disks:
    """All disks of a machine; `remarks` are the sentences they had for the user, each once."""

    def __init__(self, specs: Iterable[DiskSpec], ring: Job) -> None:
        self.all: list[Disk] = []
        self.remarks: list[str] = []
        try:
            for number, spec in enumerate(specs):
                name = f"disk{number}"
                thread = DiskThread(f"hospes {name}", ring, self._report)
                self.all.append(Disk(name, spec.serial or name, open_disk(spec), thread))
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
                self._report(str(error))

    def _report(self, message: str) -> None:
        if message not in self.remarks:
            self.remarks.append(message)


def open_disk(spec: DiskSpec) -> "BlockDevice":
    """The image in a file, locked; or a new one that is gone when it is closed."""
    # Here, for it costs a machine without disks a part of its start.
    from hospes.storage.chain import Surroundings, open_image
    from hospes.storage.create import create_image

    around = Surroundings(places=(spec.base.parent,) if spec.base is not None else ())
    if spec.path is not None:
        return open_image(spec.path, spec.format, writable=not spec.read_only, around=around)
    directory = Path(os.environ.get("TMPDIR") or SCRATCH_DIRECTORY)
    try:
        with tempfile.TemporaryDirectory(prefix="hospes-", dir=directory) as place:
            path = Path(place) / "scratch"
            kind = spec.format or (DiskFormat.QCOW2 if spec.base else DiskFormat.RAW)
            create_image(path, spec.size_bytes, kind, backing=spec.base, around=around)
            # The file has no name once the directory is gone, so nothing can leave it behind.
            return open_image(path, kind, writable=True, around=around)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise HospesError(
            f"a new disk cannot be made in {directory}: {reason}; name another place in TMPDIR"
        ) from error
