"""What a supervisor sees of AIA is the same on both engines and in QEMU."""

from pathlib import Path
from typing import Final

import pytest
from tests.oracle.aia import (
    corrected,
    hospes_transcript,
    interrupt_file,
    qemu_transcript,
    qemu_version,
    select_numbers,
    sources,
)

from hospes.spec.vm import EngineKind

LEVELS_SINCE: Final = 9
"""Before, QEMU took level-sensitive sources as if they had edges."""
PROGRAMS: Final = {
    "select": select_numbers(),
    **{f"file {seed}": interrupt_file(seed) for seed in range(3)},
    **{f"edges {seed}": sources((1, 4, 5), seed) for seed in range(3)},
    **{f"levels {seed}": sources((6, 7), seed) for seed in range(3)},
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_transcript(name: str, tmp_path: Path) -> None:
    source = PROGRAMS[name]
    ours = hospes_transcript(source, EngineKind.THREADED)
    if name.endswith(("select", "0")):
        assert ours == hospes_transcript(source, EngineKind.REFERENCE)
    version = qemu_version()
    if not version:
        pytest.skip("there is no QEMU to compare with: install qemu-system-misc")
    if name.startswith("levels") and version < LEVELS_SINCE:
        pytest.skip(f"QEMU {version} is no judge of level-sensitive sources: {LEVELS_SINCE} is")
    theirs = qemu_transcript(source, tmp_path).splitlines()
    if name == "select":
        theirs = [corrected(line) for line in theirs]
    assert ours.splitlines() == theirs
