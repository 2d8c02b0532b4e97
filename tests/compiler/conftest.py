"""`subject(text)`: the functions of a text, in a file of their own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.compiler.compiled import Subject


@pytest.fixture
def subject(tmp_path: Path) -> Callable[[str], Subject]:
    return lambda text: Subject(tmp_path, text)
