"""What is booted when a machine boots what its disks hold."""

from dataclasses import dataclass
from typing import Final

from hospes.base.errors import HospesError

MODE_WORDS: Final = frozenset({"ro", "rw"})


@dataclass(frozen=True)
class BootContent:
    """A kernel and its first file system as they lie on a disk.

    `words` are for the kernel's command line, each unless the user has said otherwise.
    """

    name: str
    kernel: bytes
    initrd: bytes | None
    release: str
    words: tuple[str, ...] = ()

    def command_line(self, append: str) -> str:
        """The words, then those of the user, whose `root=` or `console=` take the place of ours."""
        said = {_subject(word) for word in append.split()}
        return " ".join([*(w for w in self.words if _subject(w) not in said), *append.split()])


class NothingToBootError(HospesError):
    """The disks hold nothing that can be booted."""


def _subject(word: str) -> str:
    """What a word is about: `root=/dev/vda` and `root=UUID=…` are about the same."""
    return "mode" if word in MODE_WORDS else word.partition("=")[0]
