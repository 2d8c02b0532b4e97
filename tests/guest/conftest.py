"""The images that real guests are booted from."""

import shutil

import pytest

from hospes.api import drive
from hospes.base.errors import HospesError
from hospes.guests.catalogue import ensure
from hospes.guests.store import Image


@pytest.fixture(scope="session")
def tiny() -> Image:
    """The default image, fetched once into the cache."""
    if shutil.which("apt-get") is None:
        pytest.skip("there is no apt-get to fetch the guest's packages with")
    try:
        return ensure("tiny")
    except HospesError as error:
        pytest.skip(f"the image cannot be had: {error}")


@pytest.fixture(scope="session")
def debian() -> Image:
    """The image with a root disk, built once into the cache: some minutes."""
    if shutil.which("apt-get") is None:
        pytest.skip("there is no apt-get to fetch the guest's packages with")
    try:
        return ensure("debian", driver=drive)
    except HospesError as error:
        pytest.skip(f"the image cannot be had: {error}")
