"""Sizes as users write them."""

import pytest

from hospes.base.errors import HospesError
from hospes.spec.size import format_size, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("512M", 512 << 20), ("1G", 1 << 30), ("1.5g", 3 << 29), ("4GiB", 4 << 30), ("8192", 8192)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1G", "1X", "one", "1 G G", "9" * 400, "\u0663"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(HospesError, match="is not a size; write it like 512M"):
        parse_size(text)


def test_formatting() -> None:
    assert [format_size(n) for n in (1 << 30, 3 << 29, 4096, 100)] == ["1G", "1536M", "4K", "100"]
