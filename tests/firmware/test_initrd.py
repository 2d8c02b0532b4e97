"""Initrds before they are given to a guest."""

import gzip

import pytest

from hospes.base.errors import HospesError
from hospes.firmware.initrd import check_initrd


def test_good_ones(files) -> None:
    one = files.cpio(("init", "bin", "etc/passwd"))
    for data in (one, one + bytes(512), one + bytes(300) + files.cpio() + gzip.compress(one)):
        check_initrd(data, "initrd i", thorough=True)
    check_initrd(b"hsqs" + bytes(100), "initrd i")


def test_bad_ones(files) -> None:
    good = files.cpio(("init", "bin"))
    cases = {
        bytes(1000): "is empty",
        b"hello": "neither a cpio archive nor compressed",
        good[:-150]: "truncated or damaged at byte",
        good[:110]: "truncated or damaged",
        good[:54] + b"zz" + good[56:]: "damaged at byte 0",
        good + b"junk": "neither a cpio",
    }
    for data, words in cases.items():
        with pytest.raises(HospesError, match=words):
            check_initrd(data, "initrd i")


def test_compressed_damage_is_found_when_thorough(files) -> None:
    cut = gzip.compress(files.cpio())[:-9]
    check_initrd(cut, "initrd i")
    with pytest.raises(HospesError, match="gzip data does not unpack"):
        check_initrd(cut, "initrd i", thorough=True)
