"""What is asked for several things is done for all that it can be done for."""

import pytest

from hospes.base.errors import HospesError
from hospes.manager.several import each


def test_every_name_is_acted_on_in_its_order() -> None:
    seen: list[str] = []
    assert each(["b", "a"], seen.append) == ("b", "a")
    assert seen == ["b", "a"]


def test_the_others_are_done_before_failures_are_told() -> None:
    seen: list[str] = []

    def act(name: str) -> None:
        if name.startswith("x"):
            raise HospesError(f"there is no {name}; see 'hospes ps'.")
        seen.append(name)

    with pytest.raises(HospesError) as caught:
        each(["x1", "a", "x2", "b"], act)
    assert seen == ["a", "b"]
    assert str(caught.value) == "there is no x1; see 'hospes ps'; there is no x2; see 'hospes ps'"
