"""Every fuzz target: the seeds kept for it, and others for a while; every device has one."""

import importlib
import os
import pkgutil
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.runner import CORPUS
from tests.guests.ext4.images import have

import hospes.devices
from hospes.devices.device import Device
from hospes.devices.pci.function import PciFunction
from hospes.devices.virtio.function import VirtioFunction

ROOT = Path(__file__).parents[2]
SOURCES = {path.stem: path.read_text() for path in (ROOT / "fuzz").glob("*.py")}
TARGETS = sorted(name for name, text in SOURCES.items() if "\ndef case(chance" in text)
SECONDS = 1.0
SOAK_SECONDS = float(os.environ.get("FUZZ_SECONDS", "60"))
PROGRAMS = {"ext4": ("mke2fs", "e2fsck", "debugfs")}


def fuzz(name: str, seconds: float, seed: int) -> None:
    missing = [program for program in PROGRAMS.get(name, ()) if not have(program)]
    if missing:
        pytest.skip(f"{' and '.join(missing)} are not installed (package e2fsprogs)")
    words = [sys.executable, "-m", f"fuzz.{name}", "--seconds", str(seconds), "--seed", str(seed)]
    paths = os.pathsep.join([str(ROOT), str(Path(hospes.devices.__file__).parents[2])])
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(
        words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    print(done.stdout)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", TARGETS)
def test_target(name: str) -> None:
    fuzz(name, SECONDS, seed=0)


@pytest.mark.soak
@pytest.mark.parametrize("name", TARGETS)
def test_target_for_long(name: str) -> None:
    """FUZZ_SECONDS each, from a place of its own each time; the failure names the seed."""
    fuzz(name, SOAK_SECONDS, random.SystemRandom().randrange(1 << 48))


def kinds(of: type) -> set[str]:
    """The classes of devices below a base, wherever they are defined."""
    below = {kind for kind in of.__subclasses__() if kind.__module__.startswith("hospes.")}
    return {kind.__name__ for kind in below}.union(*map(kinds, below))


def test_every_device_has_a_target() -> None:
    for module in pkgutil.walk_packages(hospes.devices.__path__, "hospes.devices."):
        importlib.import_module(module.name)
    words = set(re.findall(r"\w+", "".join(SOURCES[name] for name in TARGETS)))
    # Of others, and of nothing.
    parts = {"VirtioAside", "VirtioRegisters", "Msix", "Nothing", "EmptySlot"}
    devices = kinds(Device) | kinds(VirtioFunction) | kinds(PciFunction)
    assert len(devices) > 15
    assert devices - parts - words == set()


def test_every_corpus_is_a_targets() -> None:
    assert {path.stem for path in CORPUS.iterdir()} <= set(TARGETS)
