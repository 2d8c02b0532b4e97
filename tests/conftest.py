"""How tests are shared out among processes (pytest-xdist): whole files, and one for Debian."""

from typing import Final

import pytest

DEBIAN_FIXTURES: Final = frozenset({"debian"})


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file's tests stay in one process, for they share what is set up for the file.

    Whatever needs the image debian is together in another, and first: making the image takes
    minutes, in which the others go on.
    """
    items.sort(key=lambda item: not needs_debian(item))
    for item in items:
        group = "debian" if needs_debian(item) else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


def needs_debian(item: pytest.Item) -> bool:
    """Whether any of its fixtures is such an image, or what runs it."""
    return not DEBIAN_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))
