"""The key of cached code: whatever the code depends on changes it."""

from pathlib import Path

import pytest

from hospes.compiler import code
from hospes.compiler.code import cache_key, host_identity, source_files

SOURCES = {"isa/a.py": b"x = 1\n", "isa/b.py": b"y = 2\n"}


def test_the_key_depends_on_names_and_contents() -> None:
    key = cache_key(SOURCES)
    assert cache_key(dict(reversed(list(SOURCES.items())))) == key
    others = [
        {},
        {"isa/a.py": b"x = 1\n"},
        {**SOURCES, "isa/b.py": b"y = 3\n"},
        {"isa/a.py": b"x = 1\n", "isa/c.py": b"y = 2\n"},
        {"isa/a.py": b"x = 1\ny = 2\n", "isa/b.py": b""},
    ]
    assert len({key, *(cache_key(other) for other in others)}) == 1 + len(others)


def test_the_key_depends_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    key = cache_key(SOURCES)
    monkeypatch.setattr(code, "host_identity", lambda: b"another processor")
    assert cache_key(SOURCES) != key


def test_the_host_is_named_with_its_llvm() -> None:
    assert host_identity() == host_identity()
    assert b"version" in host_identity()


def test_source_files_are_found_in_all_packages(tmp_path: Path) -> None:
    for name in ("src/hospes/isa/a.py", "src/hospes/isa/riscv/b.py", "src/hospes/base/c.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "src/hospes/isa/notes.txt").write_text("not code")
    root = tmp_path / "src/hospes"
    found = source_files(root / "isa", root / "base")
    assert sorted(body.decode() for body in found.values()) == [
        "src/hospes/base/c.py", "src/hospes/isa/a.py", "src/hospes/isa/riscv/b.py",
    ]  # fmt: skip
