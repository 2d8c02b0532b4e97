"""Finds the syntax tree of a subset function, and words the errors that point into it."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from hospes.base.errors import HospesError

STATE = "h"
"""The name of the parameter that holds the hart; always the first one."""


class SubsetError(HospesError):
    """A function steps outside the compiled subset: file, line and the rule it breaks."""


class Source:
    """The syntax tree of one function, with what is needed to resolve its names."""

    def __init__(self, function: Callable[..., Any]) -> None:
        code = function.__code__
        self.function = function
        self.path = code.co_filename
        self.globals: dict[str, Any] = function.__globals__
        self.name = f"{function.__module__}.{function.__qualname__}"
        tree = _functions(self.path).get((function.__name__, code.co_firstlineno))
        if tree is None:
            raise SubsetError(f"{self.path}: the source of {self.name} cannot be found; use def")
        self.tree = tree
        self.parameters = [a.arg for a in tree.args.args]
        self.state = STATE if STATE in self.parameters[:1] else ""
        self.values = self.parameters[1:] if self.state else self.parameters

    def fail(self, node: ast.AST, rule: str) -> NoReturn:
        """Refuse the function at this node, naming the rule."""
        line = getattr(node, "lineno", self.tree.lineno)
        raise SubsetError(f"{self.path}:{line}: {rule}")


@functools.cache
def source_of(function: Callable[..., Any]) -> Source:
    """The Source of a function, found once."""
    return Source(inspect.unwrap(function))


@functools.cache
def _functions(path: str) -> dict[tuple[str, int], ast.FunctionDef]:
    """Every def in a file by name and first line (a decorator's line, if it has one)."""
    found = {}
    for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            lines = [d.lineno for d in node.decorator_list] + [node.lineno]
            found[node.name, min(lines)] = node
    return found
