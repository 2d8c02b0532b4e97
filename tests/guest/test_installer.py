"""The stock Debian installer shows its first dialogs on the console, and takes keys."""

import re
import time

import pytest

from hospes.api import Machine
from hospes.base.errors import HospesError
from hospes.guests.catalogue import ensure

pytestmark = pytest.mark.guest

DIALOG_SECONDS = 600.0
LOOK_SECONDS = 0.5
ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][0B]|[0-9=>])")


@pytest.fixture(scope="module")
def installer() -> str:
    """The image, fetched once into the cache."""
    try:
        return ensure("installer").manifest.name
    except HospesError as error:
        pytest.skip(f"the installer cannot be had: {error}")


def await_dialog(vm: Machine, title: str) -> None:
    """Wait until a dialog is on the screen."""
    limit = time.monotonic() + DIALOG_SECONDS
    while title not in ESCAPES.sub("", vm.console_output):
        assert vm.core.ending is None, vm.console_output[-1000:]
        assert time.monotonic() < limit, (title, vm.console_output[-1000:])
        time.sleep(LOOK_SECONDS)


def test_its_first_dialogs(installer: str) -> None:
    with Machine(installer, disks=["size=4G"], append="TERM=xterm-256color") as vm:
        await_dialog(vm, "Select a language")
        await_dialog(vm, "Choose the language to be used for the installation process.")
        vm.type("\r")
        await_dialog(vm, "Select your location")
        vm.type("\r")
        await_dialog(vm, "Configure the keyboard")
