"""A verb: one function per thing a user can do, from whose signature each front end derives.

The first parameter is the Manager. A positional parameter is an argument, a keyword-only one an
option, and `*command` what follows `--`. A text in `Annotated` is the parameter's help, and a
second one, such as "-d", the option's short form. A positional list takes one value or more. The
docstring's first paragraph is the verb's. What a verb returns is data for the front end to show.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

METHODS: Final = ("GET", "POST", "PUT", "DELETE")


@dataclass(frozen=True)
class Verb:
    """A user operation: its function, its HTTP method and path, and its words on a command line."""

    function: Callable[..., Any]
    method: str
    path: str
    words: tuple[str, ...]

    @property
    def parameters(self) -> list[inspect.Parameter]:
        """What a user gives, in order: all parameters after the Manager."""
        return list(inspect.signature(self.function).parameters.values())[1:]

    @property
    def takes_command(self) -> bool:
        """Whether words after `--` mean something to it."""
        return any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in self.parameters)


def verb(route: str, words: str | None = None) -> Callable[[Function], Function]:
    """Make a function a verb; words are its name on the command line if not the function's own."""
    method, _, path = route.partition(" ")
    if method not in METHODS or not path.startswith("/"):
        raise ValueError(f"{route!r} is not a route: write a method and a path, as 'GET /images'")

    def mark(function: Function) -> Function:
        name = words or function.__name__
        function.__hospes_verb__ = Verb(  # type: ignore[attr-defined]
            function, method, path, tuple(name.split())
        )
        return function

    return mark


def verbs_of(*modules: ModuleType) -> tuple[Verb, ...]:
    """The verbs that modules define, in the order they are written; no two may be called alike."""
    found: dict[tuple[str, ...], Verb] = {}
    for module in modules:
        for value in vars(module).values():
            one = getattr(value, "__hospes_verb__", None)
            if not isinstance(one, Verb) or one.function.__module__ != module.__name__:
                continue
            if one.words in found:
                raise ValueError(f"two verbs are called {' '.join(one.words)!r}")
            found[one.words] = one
    return tuple(found.values())
