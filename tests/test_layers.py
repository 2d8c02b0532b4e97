"""Which package imports which: the tree against the table in layers.toml."""

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SOURCE = TESTS.parent / "src" / "hospes"
TABLE = tomllib.loads((TESTS / "layers.toml").read_text())
MODULES = sorted(SOURCE.rglob("*.py"))


@dataclass(frozen=True)
class Import:
    """One imported module, and whether a function has to run before it is loaded."""

    name: str
    line: int
    lazy: bool


def imports(tree: ast.AST, lazy: bool = False) -> Iterator[Import]:
    """Every import below a node, in order."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, lazy)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            assert node.module is not None
            if node.module == "hospes":
                for alias in node.names:
                    yield Import(f"hospes.{alias.name}", node.lineno, lazy)
            else:
                yield Import(node.module, node.lineno, lazy)
        elif not _is_type_checking(node):
            function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from imports(node, lazy or function)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def room_of(path: Path) -> str:
    """The package or top-level module of hospes that a source file belongs to."""
    first = path.relative_to(SOURCE).parts[0]
    return "hospes" if first == "__init__.py" else first.removesuffix(".py")


def refusals(room: str, found: Import) -> str | None:
    """Why the table refuses this import, or None."""
    if not found.name.startswith("hospes."):
        return None
    name = found.name.removeprefix("hospes.")
    if name.startswith("__") or is_within(name, [room, "base", *TABLE[room]["imports"]]):
        return None
    if is_within(name, TABLE[room].get("lazily", [])):
        return None if found.lazy else f"{room} may import {name} only inside a function"
    return f"{room} may not import {name}"


def is_within(name: str, modules: list[str]) -> bool:
    """Whether a module is one of these, or inside one of these packages."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_follow_the_table(path: Path) -> None:
    room = room_of(path)
    assert room in TABLE, f"{room} is not in layers.toml"
    found = list(imports(ast.parse(path.read_text())))
    refused = [f"{path}:{i.line}: {reason}" for i in found if (reason := refusals(room, i))]
    assert not refused, "\n".join(refused)


def test_only_the_compiler_imports_llvmlite() -> None:
    users = {
        room_of(path)
        for path in MODULES
        for found in imports(ast.parse(path.read_text()))
        if found.name.split(".")[0] == "llvmlite"
    }
    assert users <= {"compiler"}


def test_the_table_names_only_rooms_it_has() -> None:
    named = {name for row in TABLE.values() for key in row for name in row[key]}
    assert {name.split(".")[0] for name in named} <= set(TABLE)


def test_an_import_the_table_forbids_is_seen() -> None:
    found = list(imports(ast.parse("def f():\n    from hospes.engine import threaded\n")))
    assert [refusals("devices", i) for i in found] == ["devices may not import engine"]
    assert [refusals("machine", i) for i in found] == [None]


def test_a_lazy_import_at_the_top_is_seen() -> None:
    top = Import("hospes.api", 1, lazy=False)
    assert refusals("manager", top) == "manager may import api only inside a function"
    assert refusals("manager", Import("hospes.api", 1, lazy=True)) is None
