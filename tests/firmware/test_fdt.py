"""Flattened device trees against ourselves and against dtc."""

import random
import shutil
import subprocess

import pytest

from hospes.base.errors import HospesError
from hospes.firmware import fdt


def sample() -> fdt.Node:
    root = fdt.Node("").set("#address-cells", 2).set("#size-cells", 2).set("compatible", "a", "b")
    soc = root.add("soc").set("empty").set("bytes", b"\1\2\3")
    soc.add("serial@10000000").set("reg", *fdt.wide(0x1000_0000), *fdt.wide(0x100))
    return root


def test_round_trip() -> None:
    blob = fdt.write(sample())
    root = fdt.read(blob)
    assert root == sample()
    assert fdt.write(root) == blob
    serial = root.find("/soc/serial@10000000")
    assert serial.cells("reg") == [0, 0x1000_0000, 0, 0x100]
    assert root.text("compatible") == "a"
    with pytest.raises(KeyError):
        root.find("soc/none")


@pytest.mark.skipif(shutil.which("dtc") is None, reason="dtc is not installed")
def test_dtc_reads_what_we_write_and_we_read_what_dtc_writes() -> None:
    blob = fdt.write(sample())
    command = ["dtc", "-q", "-I", "dtb", "-O"]
    text = subprocess.run([*command, "dts"], input=blob, capture_output=True, check=True).stdout
    assert b'compatible = "a\\0b"' in text or b'compatible = "a", "b"' in text
    theirs = subprocess.run([*command, "dtb"], input=blob, capture_output=True, check=True).stdout
    assert fdt.read(theirs) == sample()


def test_damage_is_one_sentence() -> None:
    blob = fdt.write(sample())
    for cut in (b"", blob[:20], blob[:-1], b"\0" + blob[1:]):
        with pytest.raises(HospesError, match="the device tree blob is damaged"):
            fdt.read(cut)


def test_random_damage_never_escapes() -> None:
    chance, blob = random.Random(1), fdt.write(sample())
    for _ in range(2000):
        broken = bytearray(blob)
        for _ in range(chance.randint(1, 6)):
            broken[chance.randrange(len(broken))] = chance.choice((0, 1, 2, 3, 255))
        try:
            fdt.read(bytes(broken))
        except HospesError:
            continue
