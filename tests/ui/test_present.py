"""Results as text."""

from dataclasses import dataclass

from hospes.manager.host import Capability
from hospes.manager.verbs.doctor import Examination
from hospes.ui.present import present, table


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


def test_a_table_without_rows_has_headings() -> None:
    assert table(["A", "B"], []) == "A  B"


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
