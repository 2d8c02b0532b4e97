"""Disks of a stock kernel: content over reboots and restarts, hard kills, a host that is full."""

import hashlib
import os
import subprocess
from functools import partialmethod
from pathlib import Path

import pytest
from tests.storage.qemu import assert_sound, needs_qemu, qemu_check, qemu_img
from tests.ui.programs import command, hospes

from hospes.api import Machine
from hospes.base.errors import HospesError
from hospes.devices.virtio.block import VirtioBlock
from hospes.guests.store import Image
from hospes.storage.create import create_image

pytestmark = [pytest.mark.guest, pytest.mark.usefixtures("tiny")]

BOOT_SECONDS = 120.0
MEBIBYTES = 32
FILL = f"dd if=/dev/urandom bs=1M count={MEBIBYTES} | tee /dev/vda | md5sum; sync"
FILL_AT_ONCE = f"dd if=/dev/urandom of=/fill bs=1M count={MEBIBYTES}; cat /fill >/dev/vda; "
FILL_AT_ONCE += "md5sum </fill; sync"
"""Whole pages; `tee` writes parts of them, which have to be read first."""
DIGEST = f"dd if=/dev/vda bs=1M count={MEBIBYTES} | md5sum"
BLOCKS = """
i=0
while :; do
    printf 'block %07d\\n' $i | dd of=/dev/vda bs=4096 seek=$i conv=sync,fsync 2>/dev/null || exit
    echo $i
    i=$((i + 1))
done
"""
IN_A_NAMESPACE = ("unshare", "--map-root-user", "--mount", "sh", "-c")
MOUNT = 'mount -t tmpfs -o size=8m none "$PLACE" && truncate -s 64M "$PLACE/d.raw" && exec "$@"'


@needs_qemu
@pytest.mark.parametrize("suffix", ["raw", "qcow2"])
def test_content_lasts(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"disk.{suffix}"
    create_image(path, 96 << 20)
    with Machine("tiny", disks=[path]) as vm:
        digest = vm.run(FILL_AT_ONCE, BOOT_SECONDS, check=True).stdout
        with pytest.raises(HospesError, match="restarted meanwhile"):
            vm.run("reboot -f; sleep 60", BOOT_SECONDS)
        assert vm.session.ready(BOOT_SECONDS)
        assert vm.run(DIGEST, BOOT_SECONDS, check=True).stdout == digest
    with Machine("tiny", disks=[f"{path},readonly"]) as vm:
        assert vm.run(DIGEST, BOOT_SECONDS, check=True).stdout == digest
        assert vm.run("cat /sys/block/vda/ro", BOOT_SECONDS).stdout == "1\n"
        assert vm.remarks == ()
    if suffix == "qcow2":
        assert_sound(path)
    qemu_img("convert", "-f", suffix, "-O", "raw", path, tmp_path / "plain")
    content = (tmp_path / "plain").read_bytes()
    assert len(content) == 96 << 20
    assert digest.split()[0] == hashlib.md5(content[: MEBIBYTES << 20]).hexdigest()
    assert not any(content[MEBIBYTES << 20 :])


@pytest.mark.parametrize("packed", [True, False])
def test_ring_formats_and_queues(tmp_path: Path, monkeypatch, packed: bool) -> None:
    made = partialmethod(VirtioBlock.__init__, packed=packed)
    monkeypatch.setattr(VirtioBlock, "__init__", made)
    path = tmp_path / "disk.raw"
    create_image(path, 96 << 20)
    with Machine("tiny", disks=[path], cpus=2) as vm:
        features = vm.run("cat /sys/block/vda/device/features", BOOT_SECONDS, check=True).stdout
        assert [features[bit] for bit in (12, 28, 29, 34)] == ["1", "1", "1", str(int(packed))]
        assert vm.run("ls /sys/block/vda/mq", BOOT_SECONDS).stdout.split() == ["0", "1"]
        fill, digest = (text.replace(f"count={MEBIBYTES}", "count=8") for text in (FILL, DIGEST))
        vm.run(f"({fill}) >/root/digest", BOOT_SECONDS, check=True)
        vm.pause()
        vm.resume()
        vm.run("echo 3 >/proc/sys/vm/drop_caches", BOOT_SECONDS, check=True)
        both = vm.run(f"({digest}) & ({digest}) & wait; cat /root/digest", BOOT_SECONDS, check=True)
        assert len(set(both.stdout.splitlines())) == 1
        assert len(both.stdout.splitlines()) == 3


def test_several_disks_in_order_with_serials_and_discard(tmp_path: Path) -> None:
    create_image(tmp_path / "a.qcow2", 16 << 20)
    with Machine("tiny", disks=[f"{tmp_path}/a.qcow2,serial=first", "size=32M"]) as vm:
        seen = vm.run("cat /sys/block/vd?/size /sys/block/vd?/serial", BOOT_SECONDS, check=True)
        assert seen.stdout.replace("disk1", "").split() == ["32768", "65536", "first"]
        zeroed = "yes | dd of=/dev/vda bs=64k count=16; sync; blkdiscard /dev/vda; "
        zeroed += "dd if=/dev/vda bs=1M count=1 | tr -d '\\000' | wc -c"
        assert vm.run(zeroed, BOOT_SECONDS, check=True).stdout == "0\n"


def test_a_file_system_on_a_disk(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    create_image(path, 32 << 20)
    with Machine("tiny", disks=[path]) as vm:
        vm.run("mke2fs /dev/vda && mount -t ext4 /dev/vda /mnt", BOOT_SECONDS, check=True)
        digest = vm.run("seq 100000 | tee /mnt/x | sha256sum; umount /mnt", BOOT_SECONDS).stdout
    with Machine("tiny", disks=[path]) as vm:
        again = vm.run("mount -t ext4 /dev/vda /mnt && sha256sum </mnt/x", BOOT_SECONDS, check=True)
        assert again.stdout == digest
        lines = "".join(f"{n + 1}\n" for n in range(100_000))
        assert digest.split()[0] == hashlib.sha256(lines.encode()).hexdigest()


@needs_qemu
def test_a_hard_kill_under_writes_loses_nothing_flushed(tmp_path: Path) -> None:
    path = tmp_path / "disk.qcow2"
    create_image(path, 64 << 20)
    words = command("run", "--disk", str(path), "--", BLOCKS)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        for line in process.stdout:
            last = int(line)
            if last >= 40:
                break
        process.kill()
    found = qemu_check(path)
    assert (found.get("corruptions", 0), found["check-errors"]) == (0, 0)
    qemu_img("convert", "-f", "qcow2", "-O", "raw", path, tmp_path / "plain")
    content = (tmp_path / "plain").read_bytes()
    for number in range(last + 1):
        assert content[4096 * number :].startswith(b"block %07d\n\0" % number)
    done = hospes("run", "--disk", str(path), "--", "head -c 13 /dev/vda")
    assert (done.returncode, done.stdout) == (0, "block 0000000")


def test_a_full_host(tmp_path: Path) -> None:
    fill = "dd if=/dev/zero of=/dev/vda bs=1M count=32 conv=fsync; echo $?"
    words = command("run", "--disk", str(tmp_path / "d.raw"), "--", fill)
    done = subprocess.run(
        [*IN_A_NAMESPACE, MOUNT, "sh", *words],
        env=os.environ | {"PLACE": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=BOOT_SECONDS,
        check=False,
    )
    if "mount:" in done.stderr or "unshare:" in done.stderr:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    assert done.stdout == "1\n"
    lines = done.stderr.splitlines()
    said = f"hospes: Disk {tmp_path}/d.raw cannot be written: the host's disk is"
    assert [line.startswith(said) for line in lines].count(True) == 1
    assert any(line.endswith("records out") or "rror" in line for line in lines)


def test_what_is_wrong_with_a_disk_is_one_sentence(tiny: Image, tmp_path: Path) -> None:
    (tmp_path / "bad.qcow2").write_bytes(b"no image")
    create_image(tmp_path / "used.raw", 1 << 20)
    for disk, sentence in {
        "absent.raw": "there is no such file",
        "bad.qcow2": "is not a qcow2 image",
        "disk.img": "does not tell its format; say raw or qcow2",
        "used.raw,format=vdi": "choose raw or qcow2",
    }.items():
        done = hospes("run", "--disk", str(tmp_path / disk), "--", "true")
        assert (done.returncode, done.stdout) == (2, "") or done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert sentence in done.stderr
    with Machine("tiny", disks=[tmp_path / "used.raw"]):
        done = hospes("run", "--disk", str(tmp_path / "used.raw"), "--", "true")
        assert "is in use by another machine or program; stop that one first" in done.stderr
