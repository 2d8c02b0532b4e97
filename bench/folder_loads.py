"""What is timed in a folder that host and guest share: shell commands in a booted guest."""

from dataclasses import dataclass
from typing import Final

from hospes.guests.volumes import OPTIONS
from hospes.spec.volume import VolumeKind, mount_tag

TAG: Final = mount_tag(0)
MOUNT: Final = "/mnt"
STREAM_MEBIBYTES: Final = 64
FILES: Final = 500


@dataclass(frozen=True)
class FolderLoad:
    """One command; `count` is how many bytes or files it is about."""

    key: str
    title: str
    command: str
    count: int
    unit: str = "files/s"
    scale: float = 1.0


_BYTES: Final = STREAM_MEBIBYTES << 20
_MEGABYTES: Final = ("MB/s", 1e-6)

# Mounted anew before each reading, so that it is not the guest's memory that is read.
LOADS: Final = (
    FolderLoad(
        "f_write", f"write a file of {STREAM_MEBIBYTES} MiB",
        f"dd if=/dev/zero of=big bs=1M count={STREAM_MEBIBYTES} conv=fsync 2>/dev/null",
        _BYTES, *_MEGABYTES,
    ),
    FolderLoad(
        "f_read", "read it", "dd if=big of=/dev/null bs=1M 2>/dev/null", _BYTES, *_MEGABYTES,
    ),
    FolderLoad(
        "f_make", f"make {FILES} small files",
        f"mkdir many; i=0; while [ $i -lt {FILES} ]; do echo $i >many/$i; i=$((i+1)); done", FILES,
    ),
    FolderLoad("f_list", "list them (ls -l)", "ls -l many >/dev/null", FILES),
    FolderLoad("f_cat", "read them", "cat many/* >/dev/null", FILES),
    FolderLoad("f_remove", "remove them", "rm -r many", FILES),
)  # fmt: skip

AGAIN: Final = "again"


def key_of(load: FolderLoad, kind: VolumeKind) -> str:
    """What a measurement with one kind of folder is known by."""
    return f"{load.key} {kind.value}"


def prepare(kind: VolumeKind) -> str:
    """Mounts the folder, and defines AGAIN, which does so anew."""
    options = f"-o {OPTIONS[kind]} " if OPTIONS[kind] else ""
    mounted = f"mount -t {kind.value} {options}{TAG} {MOUNT} && cd {MOUNT}"
    return f"{AGAIN}() {{ cd / && umount {MOUNT} && {mounted}; }}; {mounted}"
