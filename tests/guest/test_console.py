"""Neither console of a guest loses a byte: pasted input and output floods, on ttyS0 and hvc0."""

import hashlib
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from tests.guest.pair import BOOT_SECONDS
from tests.ui.test_foreground import on_a_terminal, read_until

from hospes import Machine
from hospes.guests.store import Image

pytestmark = [pytest.mark.guest, pytest.mark.usefixtures("tiny")]

PASTE: Final = bytes(range(256)) * 192 + os.urandom(16 * 1024)
"""64 KiB with every byte there is."""
FLOOD_BYTES: Final = 2_000_000
SOAK_BYTES: Final = 100_000_000
FLOOD: Final = "while cat /tmp/numbers; do :; done 2>/dev/null | head -c {count}"
NUMBERS: Final = "".join(f"{number}\n" for number in range(1, 20_001)).encode()
TYPED: Final = b"".join(b"%08d and so on\n" % number for number in range(3640))


@pytest.fixture(scope="module")
def vm(tiny: Image) -> Iterator[Machine]:
    with Machine("tiny") as machine:
        machine.run("seq 20000 >/tmp/numbers", BOOT_SECONDS, check=True)
        yield machine


def flood_digest(count: int) -> str:
    """Of the first bytes of the flood."""
    digest = hashlib.sha256(NUMBERS * (count // len(NUMBERS)))
    digest.update(NUMBERS[: count % len(NUMBERS)])
    return digest.hexdigest()


class Reader:
    """Reads one end of a pipe and remembers only the digest; now and then it dawdles.

    What comes before the mark, such as what the console had said earlier, does not count.
    """

    def __init__(self, wanted: int) -> None:
        self.mark = secrets.token_hex(8).encode()
        self.wanted = wanted
        self.count = 0
        self.digest = hashlib.sha256()
        self.done = threading.Event()
        self._output, self.input = os.pipe()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        os.close(self.input)
        self._thread.join(60)
        os.close(self._output)

    def _read(self) -> None:
        before, reads = b"", 0
        while self.mark not in before:
            before += os.read(self._output, 30_000)
        self._take(before.partition(self.mark)[2])
        while data := os.read(self._output, 30_000):
            reads += 1
            if reads % 50 == 0:
                time.sleep(0.01)
            self._take(data)

    def _take(self, data: bytes) -> None:
        data = data[: self.wanted - self.count]
        self.digest.update(data)
        self.count += len(data)
        if self.count == self.wanted:
            self.done.set()


@contextmanager
def reading(vm: Machine, wanted: int) -> Iterator[Reader]:
    """So many bytes of the serial port's output, from here on, in a pipe that is read slowly."""
    reader = Reader(wanted)
    files = vm.join_console(None, reader.input)
    try:
        vm.run(f"stty -F /dev/ttyS0 raw; echo -n {reader.mark.decode()} >/dev/ttyS0", 60)
        yield reader
        assert reader.done.wait(60), f"{reader.count} of {wanted} bytes arrived"
    finally:
        files.close()
        reader.close()


def flood_the_serial_port(vm: Machine, count: int, seconds: float) -> None:
    flood = FLOOD.format(count=count)
    with reading(vm, count) as reader:
        vm.run(f"{flood} | dd bs=4k of=/dev/ttyS0", seconds, check=True)
    assert reader.digest.hexdigest() == flood_digest(count)


def flood_the_agents_console(vm: Machine, count: int, seconds: float) -> None:
    digest, arrived = hashlib.sha256(), 0

    def take(data: bytes) -> None:
        nonlocal arrived
        digest.update(data)
        arrived += len(data)

    assert vm.session.run(FLOOD.format(count=count), take, lambda data: None, seconds) == 0
    assert arrived == count
    assert digest.hexdigest() == flood_digest(count)


def test_a_flood_on_the_serial_port(vm: Machine) -> None:
    flood_the_serial_port(vm, FLOOD_BYTES, 300)


def test_a_flood_on_the_agents_console(vm: Machine) -> None:
    flood_the_agents_console(vm, FLOOD_BYTES, 300)


@pytest.mark.soak
def test_a_hundred_megabytes_on_the_serial_port(vm: Machine) -> None:
    flood_the_serial_port(vm, SOAK_BYTES, 3600)


@pytest.mark.soak
def test_a_hundred_megabytes_on_the_agents_console(vm: Machine) -> None:
    flood_the_agents_console(vm, SOAK_BYTES, 3600)


def test_64_kilobytes_pasted_on_the_serial_port(vm: Machine) -> None:
    def paste() -> None:
        limit = time.monotonic() + 60
        while not vm.console_output.endswith("now") and time.monotonic() < limit:
            time.sleep(0.01)
        vm.type(PASTE)

    typist = threading.Thread(target=paste)
    typist.start()
    command = f"""
        stty -F /dev/ttyS0 raw -echo
        exec </dev/ttyS0
        echo -n now >/dev/ttyS0
        head -c {len(PASTE)} | sha256sum"""
    got = vm.run(command, 300)
    typist.join()
    assert got.stdout.split()[0] == hashlib.sha256(PASTE).hexdigest()


def test_a_hundred_kilobytes_pasted_on_the_agents_console(vm: Machine) -> None:
    lines = "\n".join(f"{number:07}" for number in range(100_000 // 8))
    got = vm.run(f"sha256sum <<'end of file'\n{lines}\nend of file", 300)
    assert got.stdout.split()[0] == hashlib.sha256(f"{lines}\n".encode()).hexdigest()


def test_both_at_once(vm: Machine) -> None:
    """What floods one console does not hold up or mix with the other."""
    count = 300_000
    with reading(vm, count) as reader:
        flood = FLOOD.format(count=count)
        both = f"{flood} | dd bs=4k of=/dev/ttyS0 & cat /tmp/numbers /tmp/numbers; wait"
        here = vm.run(both, 300)
    assert here.stdout_bytes == NUMBERS * 2
    assert reader.digest.hexdigest() == flood_digest(count)


def test_64_kilobytes_pasted_into_the_terminal() -> None:
    """The way a user pastes: into the program's own terminal, lines and all."""
    assert len(TYPED) > 64_000
    with on_a_terminal("run") as (_, ours, _):
        read_until(ours, b"tiny:~# ")
        os.write(ours, b"stty -echo; echo re''ady; cat >/tmp/typed; stty echo; sha256sum /tmp/t*\n")
        read_until(ours, b"ready\r\n")
        typist = threading.Thread(target=os.write, args=(ours, TYPED + b"\x04"))
        typist.start()
        read_until(ours, hashlib.sha256(TYPED).hexdigest().encode())
        typist.join()
        os.write(ours, b"\x1d")
