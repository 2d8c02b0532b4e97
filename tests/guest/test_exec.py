"""Commands, copies, clock and shutdown through Debian's qemu-guest-agent in a real guest."""

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.guest.images import image

from hospes import Machine
from hospes.base.errors import HospesError
from hospes.guests.execution.command import Command, Terminal
from hospes.guests.execution.running import Input
from hospes.guests.qemu_session import QemuSession
from hospes.guests.session import CommandTimeout
from hospes.machine.life import EndKind

pytestmark = pytest.mark.guest

IMAGE = "agent"
SECONDS = 240.0
# What udev and systemd do in a whole Debian.
SETUP = """
    mkdir -p /dev/virtio-ports /run
    until [ -e /dev/virtio-ports/org.hospes.stream.23 ]; do
        for port in /sys/class/virtio-ports/*; do
            if read -r name <$port/name; then ln -sf /dev/${port##*/} /dev/virtio-ports/$name; fi
        done 2>/dev/null
    done
    ln -sf /proc/self/fd/0 /dev/stdin; ln -sf /proc/self/fd/2 /dev/stderr
    printf '#!/bin/sh\\npoweroff -f\\n' >/sbin/shutdown; chmod +x /sbin/shutdown
    qemu-ga -d -m virtio-serial -p /dev/virtio-ports/org.qemu.guest_agent.0 -t /run"""


@pytest.fixture(scope="module")
def vm() -> Iterator[Machine]:
    image(IMAGE)
    with Machine(IMAGE, ports=True) as machine:
        machine.run(SETUP, SECONDS, check=True)
        yield machine


@pytest.fixture
def session(vm: Machine) -> QemuSession:
    return QemuSession(vm.core, lambda: vm.core.ending is None)


def run(
    session: QemuSession, *argv: str, source: Input | None = None, **wanted: object
) -> tuple[int, bytes, bytes]:
    output, errors = bytearray(), bytearray()
    code = session.exec(
        argv, output.extend, errors.extend, source=source, seconds=SECONDS,
        **wanted,  # type: ignore[arg-type]
    )  # fmt: skip
    return code, bytes(output), bytes(errors)


def free_ports(vm: Machine) -> bool:
    """Whether nothing in the guest holds a stream any more, within a while."""
    limit = time.monotonic() + SECONDS
    while vm.run("ls -l /proc/[0-9]*/fd 2>/dev/null | grep -c vport", SECONDS).stdout != "1\n":
        if time.monotonic() > limit:
            print(vm.run("ps; ls -l /proc/[0-9]*/fd 2>/dev/null | grep vport", SECONDS).stdout)
            return False
        time.sleep(0.1)
    return True


def test_streams_exit_codes_and_surroundings(session: QemuSession) -> None:
    assert session.ready(SECONDS)
    assert run(session, "sh", "-c", "echo a; echo b >&2; exit 7") == (7, b"a\n", b"b\n")
    assert run(session, "sh", "-c", "kill -9 $$")[0] == 137
    script = "id -un; pwd; echo $A; echo e >/dev/stderr; cat /dev/stdin"
    assert run(
        session, "sh", "-c", script, source=iter([b"in"]), user="nobody", directory="/usr",
        environment={"A": "b c"},
    ) == (0, b"nobody\n/usr\nb c\nin", b"e\n")  # fmt: skip


def test_ten_megabytes_both_ways(session: QemuSession) -> None:
    data = os.urandom(10_000_000)
    code, output, errors = run(session, "cat", source=iter([data]))
    assert (code, errors) == (0, b"")
    assert hashlib.sha256(output).digest() == hashlib.sha256(data).digest()
    assert run(session, "head", "-c", "5", source=iter([data]))[:2] == (0, data[:5])


def test_a_terminal(session: QemuSession) -> None:
    script = "tty; stty size; echo $TERM; exit 3"
    code, output, _ = run(session, "sh", "-c", script, terminal=Terminal(31, 101, "vt220"))
    assert (code, output) == (3, b"/dev/pts/0\r\n31 101\r\nvt220\r\n")


def test_eight_at_once(session: QemuSession, vm: Machine) -> None:
    results: dict[int, object] = {}

    def one(number: int) -> None:
        data = b"%d" % number * 100_000
        code, output, _ = run(session, "sh", "-c", f"cat; exit {number}", source=iter([data]))
        results[number] = (code, output == data)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert results == {number: (number, True) for number in range(8)}
    assert free_ports(vm)


def test_a_client_that_leaves(session: QemuSession, vm: Machine) -> None:
    """One command hears of it, another one writes on and on to where nobody reads."""
    script = "trap 'echo told >/tmp/told; exit' HUP; echo go; exec >/dev/null 2>&1\n"
    script += "while :; do sleep 0.1; done"
    for argv in (["sh", "-c", script], ["yes"]):
        output = bytearray()
        with session.start(Command(argv), output.extend, print, source=iter([b"x"])) as execution:
            while not output:
                execution.step(1)
    assert free_ports(vm)
    assert vm.run("cat /tmp/told", SECONDS).stdout == "told\n"
    assert "yes" not in vm.run("ps", SECONDS).stdout


def test_a_time_out(session: QemuSession, vm: Machine) -> None:
    with pytest.raises(CommandTimeout, match="was killed"):
        session.exec(["sh", "-c", "sleep 1000; true"], print, print, seconds=3)
    assert free_ports(vm)
    assert "sleep 1000" not in vm.run("ps", SECONDS).stdout


def test_copies_both_ways(session: QemuSession, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "d").mkdir(parents=True)
    (source / "d/big").write_bytes(os.urandom(2_000_000))
    (source / "d/big").chmod(0o751)
    (source / "l").symlink_to("d/big")
    os.utime(source / "d", ns=(0, 1_600_000_000_123_456_789))
    assert session.copy_in(source, "/tmp/there").bytes == 2_000_000
    assert session.copy_out("/tmp/there", tmp_path / "back").bytes == 2_000_000
    back = tmp_path / "back"
    assert (back / "d/big").read_bytes() == (source / "d/big").read_bytes()
    assert (back / "d/big").stat().st_mode == (source / "d/big").stat().st_mode
    assert os.readlink(back / "l") == "d/big"
    assert (back / "d").stat().st_mtime_ns == 1_600_000_000_123_456_789
    session.copy_out("/etc/os-release", tmp_path)
    assert "Debian" in (tmp_path / "os-release").read_text()
    with pytest.raises(HospesError, match=r"cannot be copied from the guest: \./nothing: "):
        session.copy_out("/nothing", tmp_path)
    with pytest.raises(HospesError, match="There is no directory '/no' to copy into"):
        session.copy_in(source, "/no/where")


def test_the_clock(session: QemuSession) -> None:
    session.set_time(1_700_000_000 * 10**9)
    assert run(session, "date", "-u", "+%F")[1] == b"2023-11-14\n"
    session.set_time()
    assert abs(float(run(session, "date", "+%s.%N")[1]) - time.time()) < 5


def test_a_clean_shutdown(session: QemuSession, vm: Machine) -> None:
    """Last."""
    session.poweroff()
    assert vm.wait(SECONDS).kind is EndKind.GUEST
    with pytest.raises(HospesError, match="the machine has stopped"):
        session.exec(["true"], print, print)
