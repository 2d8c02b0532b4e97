"""Results as text."""

from dataclasses import dataclass

from hospes.engine.threaded.listing import Listing
from hospes.manager.host import Capability
from hospes.manager.verbs.doctor import Examination
from hospes.manager.verbs.show import Encoding, Meaning, Shown
from hospes.ui.present import aligned, present


@dataclass(frozen=True)
class Thing:
    name: str
    size_bytes: int
    cached: bool


def test_nothing_and_text() -> None:
    assert present(None) == ""
    assert present("words") == "words"


def test_many_alike_are_a_table() -> None:
    things = (Thing("a", 12345, True), Thing("longer", 1, False))
    assert present(things).splitlines() == [
        "NAME    SIZE BYTES  CACHED",
        "a       12345       yes",
        "longer  1           no",
    ]


def test_one_is_a_list_of_fields() -> None:
    assert present(Thing("a", 1, True)).splitlines() == [
        "name:       a",
        "size bytes: 1",
        "cached:     yes",
    ]


def test_columns_are_aligned_and_lines_end_with_text() -> None:
    assert aligned([["A", "B", ""], ["long", "", "x"]]) == "A     B\nlong     x"


def test_an_instruction_is_its_encodings_and_its_source() -> None:
    shown = Shown(
        "nop",
        (Encoding("nop", "0000", ""), Encoding("c.nop {imm}", "01", "imm != 0")),
        (Meaning("x.py:3", "def nop():\n    pass"),),
        (Listing("nop.4", "ret void", "ret"),),
    )
    assert present(shown).split("\n\n") == [
        "nop          0000\nc.nop {imm}  01    imm != 0",
        "x.py:3\ndef nop():\n    pass",
        "nop.4, LLVM IR\nret void",
        "nop.4, assembly\nret",
    ]


def test_an_examination_says_what_is_done_without() -> None:
    capabilities = (
        Capability("gpgv", False, "", "verifying", "nothing is fetched"),
        Capability("LLVM", True, "llvmlite 1", "code", "nothing runs"),
        Capability("nft", False, "", "", ""),
    )
    assert present(Examination(capabilities)).splitlines() == [
        "gpgv  no   for verifying; without it, nothing is fetched",
        "LLVM  yes  llvmlite 1; for code",
        "nft   no   not used by this version",
    ]
