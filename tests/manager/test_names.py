"""Names of machines."""

import pytest

from hospes.base.errors import HospesError
from hospes.manager import names
from hospes.manager.names import ADJECTIVES, NOUNS, check_name, new_name
from hospes.spec.names import NAME


@pytest.mark.parametrize("name", ["web", "0", "a-b-c", "x" * 31])
def test_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", "A", "a_b", "a/b", "..", "x" * 32, "a\n", "é"])
def test_no_names(name: str) -> None:
    with pytest.raises(HospesError, match="cannot be called"):
        check_name(name)


def test_new_names_can_be_used() -> None:
    longest = f"{max(ADJECTIVES, key=len)}-{max(NOUNS, key=len)}-999"
    assert NAME.fullmatch(longest)
    assert NAME.fullmatch(new_name(()))


def test_a_new_name_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "ADJECTIVES", ("only",))
    monkeypatch.setattr(names, "NOUNS", ("one",))
    assert new_name({"only-one"}) != "only-one"
