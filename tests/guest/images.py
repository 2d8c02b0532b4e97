"""Images for tests of guests, which skip where one cannot be had."""

import shutil
from collections.abc import Sequence

import pytest

from hospes.api import drive
from hospes.base.errors import HospesError
from hospes.guests import catalogue
from hospes.guests.store import Image, images_directory, load_image


def image(name: str, packages: Sequence[str] = ()) -> Image:
    """One that is known by its name, or debian with these packages; made once into the cache."""
    if shutil.which("apt-get") is None:
        pytest.skip("there is no apt-get to fetch the guest's packages with")
    try:
        if packages and load_image(images_directory() / name) is None:
            catalogue.build(name, packages, drive)
        return catalogue.ensure(name, driver=drive)
    except HospesError as error:
        pytest.skip(f"the image cannot be had: {error}")
