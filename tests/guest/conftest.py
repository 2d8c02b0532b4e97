"""The images that real guests are booted from."""

import pytest
from tests.guest.images import image

from hospes.guests.store import Image


@pytest.fixture(scope="session")
def tiny() -> Image:
    """The default image, fetched once into the cache."""
    return image("tiny")


@pytest.fixture(scope="session")
def debian() -> Image:
    """The image with a root disk, built once into the cache: some minutes."""
    return image("debian")
