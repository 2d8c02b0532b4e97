"""Power cuts during operations on several files."""

import random
from collections.abc import Callable, Iterator

from tests.storage.memory_files import MemoryDisk, MemoryFiles
from tests.storage.power import CutFile

from hospes.storage.chain import Surroundings


def after_cuts(
    make: Callable[[], MemoryFiles], action: Callable[[Surroundings], object], count: int
) -> Iterator[Surroundings]:
    """What the host's files may hold after cuts at random moments of the action."""
    chance = random.Random(count)
    files = make()
    start = {path: bytes(file.data) for path, file in files.named.items()}
    files.disk = MemoryDisk()
    for file in files.named.values():
        file.disk = files.disk
    action(Surroundings(files))
    for _ in range(count):
        cut = chance.randrange(len(files.disk.log) + 1)
        left = MemoryFiles()
        for path, data in start.items():
            follower = CutFile(data)
            for change in files.disk.log[:cut]:
                if change.file == str(path):
                    follower.follow(change)
            left.add(path.name, follower.after_cut(chance))
        yield Surroundings(left)
