"""Initrds before they are given to a guest."""

import gzip

import pytest

from hospes.base.errors import HospesError
from hospes.firmware.initrd import check_initrd


def test_good_ones(files) -> None:
    one = files.cpio(("init", "bin", "etc/passwd"))
    for data in (one, one + bytes(512), one + bytes(300) + files.cpio() + gzip.compress(one)):
        check_initrd(data, "initrd i")
    for data in (b"hsqs" + bytes(100), b"\x02\x21\x4c\x18" + bytes(9)):
        check_initrd(data, "initrd i")


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


def test_compressed_damage_is_found(files) -> None:
    cases = {
        gzip.compress(files.cpio())[:-9]: "gzip data does not unpack",
        gzip.compress(b"text"): "holds no cpio archive",
    }
    for data, words in cases.items():
        with pytest.raises(HospesError, match=words):
            check_initrd(data, "initrd i")
