"""Fuzz target: what users write: sizes, disks, command lines, records, keys, user data."""

import base64
import gzip
import random
import tempfile
from contextlib import suppress
from pathlib import Path

from fuzz.harness import damage, main, odd_number, one_sentence

from hospes.base import record
from hospes.guests.nocloud import USER_DATA_BYTES_MAX, make_seed
from hospes.spec.disk import parse_disk
from hospes.spec.kept import Ended
from hospes.spec.machine import MachineSpec
from hospes.spec.size import format_size, parse_size
from hospes.spec.vm import VmSpec
from hospes.ui.bind import Answered, UsageError, bind

WORDS = (
    "512M", "1.5G", "4GiB", "9" * 400, "1e400", "\u0663", "-1", "0", "", "a.qcow2", "size=20G",
    "format=raw", "format=", "serial=" + "\u00e9" * 12, "bus=pci", "readonly", "x=y", "\ud800",
)  # fmt: skip
OPTIONS = (
    "run", "ps", "exec", "cp", "disk", "create", "--memory", "--cpus", "--disk", "-d", "--name",
    "--kernel", "--help-me", "images", "pull", "--interrupts", "aia", "tiny", "--lines", "nan",
)  # fmt: skip
KEY = "ssh-ed25519 " + base64.b64encode(
    b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(range(32))
).decode()  # fmt: skip
USER_DATA = (
    b"#cloud-config\nusers: []\n", b"#!/bin/sh\ntrue\n", b"## template: jinja\n", b"strange",
    b"#include\nhttps://example.org/\n",
    b"Content-Type: multipart/mixed; boundary=\"x\"\nMIME-Version: 1.0\n\n"
    b"--x\nContent-Type: text/x-shellscript\n\n#!/bin/sh\n--x--\n",
    b"MIME-Version: 1.0\nContent-Type: text/plain\n\ntext",
    b"Content-Type: multipart/mixed\n\n",
)  # fmt: skip


def case(chance: random.Random) -> None:
    """A few of each."""
    for _ in range(20):
        word = text(chance)
        one_sentence(lambda word=word: format_size(parse_size(word)))
        one_sentence(lambda word=word: parse_disk(word))
        one_sentence(lambda word=word: parse_disk(f"{word},{text(chance)},{text(chance)}"))
    number = odd_number(chance, 64)
    one_sentence(lambda: VmSpec(bios=Path("x"), memory_bytes=number, cpus=number & 0xFF))
    one_sentence(lambda: VmSpec(kernel=Path("x"), append=text(chance), engine=text(chance)))
    command_line(chance)
    with tempfile.TemporaryDirectory() as place:
        files(chance, Path(place))


def text(chance: random.Random) -> str:
    """A word, changed now and then."""
    word = chance.choice(WORDS)
    if chance.random() < 0.3:
        at = chance.randrange(len(word) + 1)
        word = word[:at] + chance.choice("=,.0GKi \u00b2\x7f") + word[at:]
    return word


def command_line(chance: random.Random) -> None:
    """Words for the program."""
    from hospes.manager.verbs import verbs

    words = [chance.choice((*OPTIONS, text(chance))) for _ in range(chance.randrange(7))]
    with suppress(UsageError, Answered):
        bind(verbs(words[0] if words else ""), None, words, ())


def files(chance: random.Random, place: Path) -> None:
    """A record, a key and user data."""
    path = place / "machine.json"
    record.write_record(path, MachineSpec(image="tiny", kernel=Path("x"), memory="1G"))
    path.write_bytes(damage(chance, path.read_bytes()))
    for kind in (MachineSpec, Ended):
        one_sentence(lambda kind=kind: record.read_record(path, kind))
    key, data, network = place / "key.pub", place / "user-data", place / "network"
    lines = [chance.choice((KEY, KEY + " me@here", "# mine", "ssh-rsa AAAA", "", "\u2028x"))
             for _ in range(chance.randrange(4))]  # fmt: skip
    key.write_text("\n".join(lines), encoding="utf-8")
    wishes = chance.choice(USER_DATA)
    wishes = wishes if chance.random() < 0.5 else damage(chance, wishes)
    if chance.random() < 0.2:
        wishes = gzip.compress(wishes + bytes(chance.choice((0, 2 * USER_DATA_BYTES_MAX))))
        wishes = wishes if chance.random() < 0.5 else damage(chance, wishes)
    data.write_bytes(wishes)
    network.write_bytes(chance.randbytes(chance.randrange(100)))
    name = chance.choice(("guest", "guest", "", "-x", "a.b", "x" * 64, "\u00e9"))
    keys = [key] if chance.random() < 0.8 else [key, place / "missing"]
    one_sentence(lambda: make_seed(name, data, keys, network))


if __name__ == "__main__":
    main(case)
