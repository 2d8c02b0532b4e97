"""Commands derived from signatures."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

import pytest

from hospes.manager.manager import Manager
from hospes.manager.verb import verb, verbs_of
from hospes.ui.bind import Answered, UsageError, bind, summary


@verb("POST /things/{name}/move", "things move")
def move(
    m: Manager,
    name: Annotated[str, "which thing"],
    place: str = "here",
    *command: str,
    to_file: Annotated[Path | None, "where to"] = None,
    times: int = 1,
    loud: bool = False,
    how: Literal["fast", "slow"] = "slow",
) -> dict[str, Any]:
    """Move a thing
    to a place.

    More about it.
    """
    return {k: v for k, v in locals().items() if k != "m"}


@verb("GET /things", "things ls")
def ls(m: Manager) -> str:
    """List things."""
    return "none"


@verb("DELETE /things", "things rm")
def rm(
    m: Manager,
    names: Annotated[list[str], "which things"],
    *,
    force: Annotated[bool, "whatever they say", "-f"] = False,
    tail: Annotated[int, "how many", "-n"] = 0,
) -> tuple[list[str], bool, int]:
    """Remove things."""
    return names, force, tail


MODULE = ModuleType(__name__)
vars(MODULE).update(move=move, ls=ls, rm=rm)


def call(words: Sequence[str], command: Sequence[str] = ()) -> Any:
    return bind(verbs_of(MODULE), Manager(), words, command)()


def test_arguments_options_and_defaults() -> None:
    assert call(["things", "move", "a"]) == {
        "name": "a",
        "place": "here",
        "command": (),
        "to_file": None,
        "times": 1,
        "loud": False,
        "how": "slow",
    }
    given = call(
        ["things", "move", "a", "there", "--to-file", "f", "--times=3", "--loud", "--how", "fast"],
        ["uname", "-a"],
    )
    assert given["place"] == "there"
    assert given["command"] == ("uname", "-a")
    assert given["to_file"] == Path("f")
    assert (given["times"], given["loud"], given["how"]) == (3, True, "fast")


@pytest.mark.parametrize(
    "words",
    [
        ["things", "move"],
        ["things", "move", "a", "b", "c"],
        ["things", "move", "a", "--times", "many"],
        ["things", "move", "a", "--how", "sideways"],
        ["things", "move", "a", "--backwards"],
        ["things", "burn"],
        ["things", "rm", "-f"],
        ["things"],
    ],
)
def test_wrong_words_are_usage_errors(words: list[str]) -> None:
    with pytest.raises(UsageError):
        call(words)


def test_several_values_and_short_options() -> None:
    assert call(["things", "rm", "a"]) == (["a"], False, 0)
    assert call(["things", "rm", "-f", "a", "b", "-n", "3"]) == (["a", "b"], True, 3)


def test_a_command_goes_only_to_verbs_that_take_one() -> None:
    with pytest.raises(UsageError, match="takes no command"):
        call(["things", "ls"], ["x"])


def test_help_comes_from_docstring_and_annotation(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Answered):
        call(["things", "move", "--help"])
    text = capsys.readouterr().out
    assert "Move a thing to a place." in text
    assert "More about it" not in text
    assert "which thing" in text
    assert "where to" in text
    assert "[-- COMMAND...]" in text
    assert "--no-loud" not in text


def test_summary_is_the_first_paragraph() -> None:
    assert summary(move) == "Move a thing to a place."
