"""Which processes of virtiofsd there are, or of what is in its place."""

from pathlib import Path


def running(folder: Path) -> set[str]:
    """Processes that serve a folder, by their numbers."""
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if bytes(folder) in words and b"--fd=" in words:
            found.add(entry.name)
    return found
