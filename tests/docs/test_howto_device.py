"""`docs/howto/add-device.md`, carried out: its blocks go into a copy of the tree and are tested."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COPIED = (
    "pyproject.toml",
    "tests/devices/conftest.py",
    "tests/devices/virtio/conftest.py",
    "tests/machine/bare.py",
    "tests/machine/virtio_program.py",
)
CATALOGUE = "src/hospes/machine/boards/catalogue.py"
END_OF_TABLE = "\n)\n"
COMMAND = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")


def carry_out(text: str, tree: Path) -> list[str]:
    """Write every block; returns the paths of new files."""
    new = []
    for path, content in BLOCK.findall(text):
        if path == CATALOGUE:
            (tree / path).write_text(insert((tree / path).read_text(), content))
            continue
        assert not (tree / path).exists(), f"{path} is there already"
        (tree / path).write_text(content)
        new.append(path)
    return new


def insert(catalogue: str, lines: str) -> str:
    """Imports go above the first import, lines of the table to its end."""
    imports, line = lines.split("\n\n")
    at = catalogue.index("from ")
    catalogue = f"{catalogue[:at]}{imports}\n{catalogue[at:]}"
    start = catalogue.index("CATALOGUE: Final")
    end = catalogue.index(END_OF_TABLE, start) + 1
    return f"{catalogue[:end]}{line}{catalogue[end:]}"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A copy of the source with both devices."""
    copy = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for path in COPIED:
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, copy / path)
    return copy, carry_out((ROOT / "docs/howto/add-device.md").read_text(), copy)


def test_the_devices_work(tree: tuple[Path, list[str]]) -> None:
    copy, _ = tree
    done = subprocess.run(
        [sys.executable, *COMMAND],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": f"{copy}/src:{copy}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "5 passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


@pytest.mark.skipif(importlib.util.find_spec("ruff") is None, reason="ruff is not installed")
def test_they_are_written_as_the_rest_is(tree: tuple[Path, list[str]]) -> None:
    copy, new = tree
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", *new],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
