"""What goes wrong when a file system is read: each text a sentence for the user."""

from hospes.base.errors import HospesError


class FileSystemError(HospesError):
    """A file system cannot be read, or not everything in it."""


class AbsentError(FileSystemError):
    """There is no such file."""


def damaged(name: str, what: str) -> FileSystemError:
    """The file system contradicts itself."""
    return FileSystemError(
        f"the file system on {name} is damaged ({what}); repair it with e2fsck, or start the "
        "machine with --kernel and --initrd and let the guest do it"
    )


def unsupported(name: str, what: str) -> FileSystemError:
    """The file system uses something that is not read here."""
    return FileSystemError(
        f"the file system on {name} has {what}, which Hospes does not read; "
        "start the machine with --kernel and --initrd"
    )
