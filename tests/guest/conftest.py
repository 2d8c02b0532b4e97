"""The images that real guests are booted from."""

import shutil

import pytest

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
