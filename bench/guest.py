"""The guest that is measured: an image's kernel and initrd, the latter with the bench's own files.

The kernel unpacks initrds that stand one after another into one tree, so the image's own files are
as they are; `rdinit=` has the kernel start the bench's script, which says so and goes on to /init.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.float_program import float_program
from bench.workloads import FLOAT_PROGRAM, SCRIPT, script
from hospes.base.progress import Progress, silent
from hospes.guests import catalogue
from hospes.guests.cpio import write_archive
from hospes.guests.tree import Entry, regular

IMAGE: Final = "tiny"
FIRST_PROCESS: Final = b"bench-first-process"
PROMPT: Final = b"# "
INIT_PATH: Final = "bench-init"
INIT: Final = b"#!/bin/sh\necho bench-first-process\nexec /init\n"
MEMORY_BYTES: Final = 1 << 30


@dataclass(frozen=True)
class LinuxGuest:
    """What both programs boot; `verbose` is the command line that shows the kernel's messages.

    `made_of` names the packages it comes from, with their versions.
    """

    kernel: Path
    initrd: Path
    append: str
    verbose: str
    made_of: str
    memory_bytes: int = MEMORY_BYTES


def linux_guest(
    directory: Path, progress: Progress = silent, extra: Sequence[Entry] = ()
) -> LinuxGuest:
    """The guest made from an image, fetched if need be; its initrd is written to `directory`.

    `extra` are further files in it.
    """
    image = catalogue.ensure(IMAGE, progress)
    initrd = directory / "initrd"
    initrd.write_bytes(bench_files(extra) + image.initrd.read_bytes())
    words = [*image.manifest.append.split(), f"rdinit=/{INIT_PATH}"]
    spoken = [word for word in words if word != "quiet"]
    made_of = ", ".join(f"{one.name} {one.version}" for one in image.manifest.packages)
    return LinuxGuest(image.kernel, initrd, " ".join(words), " ".join(spoken), made_of)


def bench_files(extra: Sequence[Entry] = ()) -> bytes:
    """An initrd with what the bench adds."""
    out = io.BytesIO()
    write_archive(
        [
            regular(INIT_PATH, INIT, 0o755),
            regular(FLOAT_PROGRAM, float_program(), 0o755),
            regular(SCRIPT, script()),
            *extra,
        ],
        out,
    )
    return out.getvalue()
