"""How guests are told which shared folders to mount, and how."""

from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import Final

from hospes.spec.volume import VolumeKind, VolumeSpec, mount_tag

OPTIONS: Final = MappingProxyType(
    {VolumeKind.NINEP: "trans=virtio,msize=512000,cache=mmap", VolumeKind.VIRTIOFS: ""}
)
"""As much at once as Linux can send to a device of 128 descriptors. Files are kept in the guest's
memory while they are open, so programs run from a folder, mmap works and small writes are gathered;
names and attributes are not, so what the host changes is seen at the next open. For virtiofs it is
virtiofsd that says how."""
MOUNT_WORD: Final = "hospes.mount"
SYSTEMD: Final = "nofail,x-systemd.before=local-fs.target"
"""Mounted before any service starts; a folder that is gone keeps nothing else from starting."""


def init_words(volumes: Sequence[VolumeSpec]) -> Iterator[str]:
    """For the init of the images made here; those of older versions know 9p alone."""
    for number, volume in enumerate(volumes):
        kind = "" if volume.kind == VolumeKind.NINEP else f":{volume.kind.value}"
        yield f"{MOUNT_WORD}={mount_tag(number)}:{volume.place}:{_options(volume)}{kind}"


def systemd_words(volumes: Sequence[VolumeSpec]) -> Iterator[str]:
    """For systemd 254 or later (systemd-fstab-generator(8))."""
    for number, volume in enumerate(volumes):
        place = f"{mount_tag(number)}:{volume.place}"
        options = f"{_options(volume)},{SYSTEMD}"
        yield f"systemd.mount-extra={place}:{volume.kind.value}:{options}"


def _options(volume: VolumeSpec) -> str:
    words = ["ro"] * volume.read_only + OPTIONS[volume.kind].split()
    return ",".join(words) or "rw"
