"""The very disk that a Debian here has used goes on under QEMU, and back again."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.guest.debian import BOOT_SECONDS, ORDER, PATIENT, hospes, in_guest
from tests.guest.login import Login
from tests.guest.peer import QEMU, need_qemu
from tests.guests.ext4.images import needs_e2fsprogs, program
from tests.storage.qemu import assert_sound, needs_qemu
from tests.worker.homes import own_home

from hospes.guests.store import Image

pytestmark = [pytest.mark.guest, pytest.mark.soak, needs_qemu, needs_e2fsprogs]


def stop_in_order() -> None:
    done = hospes("stop", "both")
    assert (done.returncode, done.stderr) == (0, "")


def assert_clean(disk: Path, scratch: Path) -> None:
    """Nothing to mend, and no journal to be replayed."""
    assert hospes("disk", "check", str(disk)).returncode == 0
    assert_sound(disk)
    raw = scratch / "plain.raw"
    hospes("disk", "convert", str(disk), str(raw))
    told = program("e2fsck", "-fn", raw)
    raw.unlink()
    assert "journal" not in told


@contextmanager
def in_qemu(image: Image, disk: Path, directory: Path) -> Iterator[Login]:
    """A session on the console of QEMU's guest, which has ended in order when the context does."""
    shown = directory / "console"
    words = [
        QEMU, "-machine", "virt", "-m", "1G", "-nographic", "-kernel", image.kernel,
        "-initrd", image.initrd, "-append", f"{image.manifest.append} {PATIENT}",
        "-drive", f"file={disk},if=none,id=root,format=qcow2",
        "-device", "virtio-blk-device,drive=root",
    ]  # fmt: skip
    with (
        shown.open("wb") as output,
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=output) as process,
    ):
        assert process.stdin is not None
        keyboard = process.stdin

        def type(text: str) -> None:
            keyboard.write(text.encode())
            keyboard.flush()

        try:
            yield Login(lambda: shown.read_text("utf-8", "replace"), type)
            type("poweroff\n")
            assert process.wait(BOOT_SECONDS) == 0
        finally:
            process.kill()


def test_there_and_back(debian: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_qemu()
    with own_home(tmp_path / "home", monkeypatch) as home:
        assert hospes("run", "--name", "both", "-d", "debian", "--append", PATIENT).returncode == 0
        disk = home / "machines/both/root.qcow2"
        assert in_guest("both", f"{ORDER}; echo here >/root/here") == "running\n"
        stop_in_order()
        assert_clean(disk, tmp_path)
        with in_qemu(debian, disk, tmp_path) as login:
            login.enter(BOOT_SECONDS)
            assert login.run(ORDER, BOOT_SECONDS) == (0, "running")
            assert login.run("cat /root/here; echo there >/root/there") == (0, "here")
        assert_clean(disk, tmp_path)
        assert hospes("start", "both").returncode == 0
        assert in_guest("both", f"{ORDER}; cat /root/there") == "running\nthere\n"
        stop_in_order()
        assert_clean(disk, tmp_path)
