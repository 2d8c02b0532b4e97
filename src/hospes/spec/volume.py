"""What a user asks for when asking for a shared folder: the host's, and where the guest has it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Final

from hospes.base.errors import HospesError

ID_MAX: Final = 0xFFFF_FFFE
_UNFIT: Final = frozenset(" ,:'\"\\%$#*?")
"""What the kernel's command line, or who reads it in a guest, takes for something else."""


class VolumeKind(StrEnum):
    """How the guest reaches a folder: by 9P2000.L, which we serve, or by FUSE and virtiofsd."""

    NINEP = "9p"
    VIRTIOFS = "virtiofs"


@dataclass(frozen=True)
class VolumeSpec:
    """A folder of the host at a path of the guest, where the host's user is `uid` and `gid`.

    With virtiofs it is root that the host's user is.
    """

    host: Path
    guest: str
    read_only: bool = False
    uid: int = 0
    gid: int = 0
    kind: VolumeKind = VolumeKind.NINEP

    def __post_init__(self) -> None:
        path = PurePosixPath(self.guest)
        if not path.is_absolute() or self.guest.startswith("//") or ".." in path.parts:
            raise HospesError(
                f"the folder {self.host} cannot be at {self.guest!r} in the guest; write a path "
                "that begins with /, such as /src"
            )
        if path == PurePosixPath("/"):
            raise HospesError(
                f"the folder {self.host} cannot take the place of the guest's own root; write a "
                "path such as /src"
            )
        if not self.guest.isprintable() or not _UNFIT.isdisjoint(self.guest):
            raise HospesError(
                f"the folder {self.host} cannot be at {self.guest!r} in the guest; use a path of "
                "letters, digits, dots and dashes"
            )
        for number in (self.uid, self.gid):
            if not 0 <= number <= ID_MAX:
                raise HospesError(f"there is no user or group {number}; choose 0 to {ID_MAX}")
        if self.kind == VolumeKind.VIRTIOFS and (self.uid or self.gid):
            raise HospesError(
                f"the folder {self.host} cannot be another user's with virtiofs; leave out uid= "
                "and gid=, or virtiofs"
            )

    def __str__(self) -> str:
        """As a user writes it."""
        options = ["ro"] * self.read_only
        options += [self.kind.value] * (self.kind != VolumeKind.NINEP)
        options += [f"{name}={of}" for name, of in (("uid", self.uid), ("gid", self.gid)) if of]
        return ":".join((str(self.host), self.place, *([",".join(options)] if options else [])))

    @property
    def place(self) -> str:
        """The guest's path, written in one way."""
        return str(PurePosixPath(self.guest))


def parse_volume(text: str) -> VolumeSpec:
    """From texts such as `./src:/src`, `/data:/data:ro,virtiofs` or `.:/home/me:uid=1000`."""
    host, _, rest = text.partition(":")
    guest, colon, options = rest.partition(":")
    if not host or not guest or (colon and not options):
        raise HospesError(
            f"{text!r} does not say what to share; write it like ./src:/src or /data:/data:ro"
        )
    read_only, uid, gid, kind = False, 0, 0, VolumeKind.NINEP
    for option in options.split(",") if options else ():
        key, _, value = option.partition("=")
        if option in {"ro", "rw"}:
            read_only = option == "ro"
        elif option in VolumeKind.__members__.values():
            kind = VolumeKind(option)
        elif key == "uid" and _is_id(value):
            uid = int(value)
        elif key == "gid" and _is_id(value):
            gid = int(value)
        else:
            raise HospesError(
                f"the shared folder {text!r} has {option!r}; write ro, rw, virtiofs, or uid= or "
                "gid= with a number"
            )
    return VolumeSpec(Path(host).absolute(), guest, read_only, uid, gid, kind)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(ID_MAX))


def check_volumes(volumes: Sequence[VolumeSpec]) -> None:
    """HospesError if two folders have one place."""
    places: dict[str, VolumeSpec] = {}
    for volume in volumes:
        other = places.setdefault(volume.place, volume)
        if other is not volume:
            raise HospesError(
                f"the folders {other.host} and {volume.host} cannot both be at {volume.place} in "
                "the guest; choose another path for one"
            )


def mount_tag(number: int) -> str:
    """What the guest's kernel calls a machine's folders, counted from 0."""
    return f"volume{number}"
