"""Properties of the whole repository: sizes, docstrings, words and paths that must not be there."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "src").rglob("*.py"))
FILE_LINES = 400
FUNCTION_LINES = 60
GLANCE_LINES = 5
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b|\bfor now\b")

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def definitions(tree: ast.AST, public: bool = True) -> Iterator[tuple[Definition, bool]]:
    """Every class and function with whether a user of the module can reach it by name."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Definition):
            named = public and not node.name.startswith("_")
            yield node, named
            yield from definitions(node, named and isinstance(node, ast.ClassDef))
        else:
            yield from definitions(node, public)


@cache
def protocol_methods() -> frozenset[str]:
    """The names that Protocols declare; who satisfies one need not say again what it does."""
    return frozenset(
        method.name
        for path in MODULES
        for kind in ast.walk(ast.parse(path.read_text()))
        if isinstance(kind, ast.ClassDef) and "Protocol" in map(ast.unparse, kind.bases)
        for method in kind.body
        if isinstance(method, ast.FunctionDef)
    )


def needs_docstring(tree: ast.Module, node: Definition) -> bool:
    """Classes do, and functions too long to be read at a glance; a base class speaks for both."""
    if isinstance(node, ast.ClassDef):
        return True
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    classes = [c for c in ast.walk(tree) if isinstance(c, ast.ClassDef) and node in c.body]
    said = bool(classes) and (any(c.bases for c in classes) or node.name in protocol_methods())
    return lines > GLANCE_LINES and not said


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_sizes(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= FILE_LINES, "the file holds more than one idea"
    long = [
        f"{relative(path)}:{node.lineno} {node.name}"
        for node, _ in definitions(ast.parse(text))
        if not isinstance(node, ast.ClassDef)
        and (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LINES
    ]
    assert not long, f"longer than {FUNCTION_LINES} lines: {', '.join(long)}"


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_docstrings(path: Path) -> None:
    tree = ast.parse(path.read_text())
    if not tree.body:
        return
    assert ast.get_docstring(tree), "the module does not say what it is"
    bare = [
        f"{relative(path)}:{node.lineno} {node.name}"
        for node, public in definitions(tree)
        if public and needs_docstring(tree, node) and ast.get_docstring(node) is None
    ]
    assert not bare, f"public, without a docstring: {', '.join(bare)}"


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_nothing_is_left_unfinished(path: Path) -> None:
    found = UNFINISHED.search(path.read_text())
    assert found is None, f"{relative(path)} says {found.group(0) if found else ''}"


def test_nothing_generated_is_committed() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    generated = (".pyc", ".o", ".so", ".ll", ".s", ".bin", ".elf", ".gz", ".deb")
    assert not [name for name in listed.stdout.split() if name.endswith(generated)]


def test_every_test_folder_mirrors_what_it_tests() -> None:
    apart = {"guest", "oracle", "__pycache__"}
    for folder in (ROOT / "tests").iterdir():
        if folder.is_dir() and folder.name not in apart:
            mirrored = [ROOT / "src" / "hospes" / folder.name, ROOT / folder.name]
            assert any(path.is_dir() for path in mirrored), relative(folder)


def test_documents_name_only_files_that_exist() -> None:
    path = re.compile(r"`((?:src|tests|docs|bench|fuzz)/[\w./-]+)`")
    for document in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        named = path.findall(document.read_text())
        assert not [name for name in named if not (ROOT / name).exists()], relative(document)
