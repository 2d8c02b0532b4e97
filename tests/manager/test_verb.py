"""Verbs: what the decorator keeps and refuses."""

from types import ModuleType

import pytest

from hospes.manager.manager import Manager
from hospes.manager.verb import verb, verbs_of


def module_with(**names: object) -> ModuleType:
    module = ModuleType(__name__)
    vars(module).update(names)
    return module


@verb("GET /things/{name}", "things show")
def show(m: Manager, name: str, *command: str, loud: bool = False) -> str:
    """Show a thing."""
    return name


@verb("DELETE /things/{name}")
def rm(m: Manager, name: str) -> None:
    """Remove a thing."""


def test_a_verb_keeps_its_route_and_words() -> None:
    first, second = verbs_of(module_with(show=show, rm=rm, other=3))
    assert (first.method, first.path) == ("GET", "/things/{name}")
    assert first.words == ("things", "show")
    assert second.words == ("rm",)
    assert [p.name for p in first.parameters] == ["name", "command", "loud"]
    assert first.takes_command
    assert not second.takes_command


def test_two_verbs_of_one_name_are_refused() -> None:
    again = verb("GET /other", "rm")(lambda m: None)
    again.__module__ = __name__
    with pytest.raises(ValueError, match="two verbs are called 'rm'"):
        verbs_of(module_with(rm=rm, again=again))


def test_an_imported_verb_belongs_to_its_own_module() -> None:
    assert verbs_of(ModuleType("elsewhere")) == ()
    elsewhere = ModuleType("elsewhere")
    vars(elsewhere).update(rm=rm)
    assert verbs_of(elsewhere) == ()


@pytest.mark.parametrize("route", ["/things", "FETCH /things", "GET things"])
def test_a_malformed_route_is_refused(route: str) -> None:
    with pytest.raises(ValueError, match="is not a route"):
        verb(route)
