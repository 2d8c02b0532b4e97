"""Object code kept on disk under its key: checked when read, replaced as a whole when written."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Final

DIGEST_BYTES: Final = 32
KEPT: Final = 8
"""Files kept in a cache: those of a few versions of Hospes that are used side by side."""


class ObjectCache:
    """Files of object code in a folder, each behind its SHA-256.

    A file that does not match its digest counts as absent. A folder that cannot be read or written
    is done without. Several processes may use one folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> bytes | None:
        """The object code kept under a key, or None if it is not there or is damaged."""
        try:
            data = self._path(key).read_bytes()
        except OSError:
            return None
        digest, code = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
        return code if hashlib.sha256(code).digest() == digest else None

    def put(self, key: str, code: bytes) -> None:
        """Keep object code under a key; the oldest files beyond KEPT go."""
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(self._path(key), hashlib.sha256(code).digest() + code)
            self._prune()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.o"

    def _write(self, path: Path, data: bytes) -> None:
        """Under another name first: readers see the old file or the whole new one."""
        import tempfile  # Here, for most starts write nothing.

        handle, name = tempfile.mkstemp(dir=self.folder)
        try:
            with open(handle, "wb") as file:
                file.write(data)
            os.replace(name, path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise

    def _prune(self) -> None:
        files = [(path.stat().st_mtime_ns, path) for path in self.folder.iterdir()]
        for _, path in sorted(files, reverse=True)[KEPT:]:
            path.unlink(missing_ok=True)
