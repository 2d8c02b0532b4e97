"""Where things go."""

import itertools
import struct

import pytest

from hospes.base.errors import HospesError
from hospes.firmware.image import BootFiles, parse_firmware, parse_kernel
from hospes.firmware.placement import FDT_ROOM_BYTES, RAM_BASE, plan_boot

MIB = 1 << 20


def boot(files, *, size=0x40_0000, initrd=None, firmware=None) -> BootFiles:
    kernel = parse_kernel(files.image(size=size), "kernel k")
    return BootFiles(kernel, initrd, firmware and parse_firmware(firmware, "firmware f"))


def test_kernel_alone(files) -> None:
    plan = plan_boot(1024 * MIB, boot(files))
    assert plan.entry == plan.kernel_entry == 0x8020_0000
    assert plan.initrd is None
    assert plan.fdt_gpa == 0xBFE0_0000


def test_firmware_starts_and_finds_the_kernel(files) -> None:
    plan = plan_boot(256 * MIB, boot(files, firmware=files.elf()))
    assert (plan.entry, plan.kernel_entry) == (0x8000_0004, 0x8020_0000)
    info = next(s for s in plan.segments if s.gpa == plan.dynamic_info_gpa)
    assert struct.unpack("<6Q", info.data)[:4] == (0x4942_534F, 2, 0x8020_0000, 1)
    assert plan.symbols["tohost"] == 0x8000_0800
    large = boot(files, firmware=bytes(3 * MIB))
    assert plan_boot(256 * MIB, large).kernel_entry == 0x8040_0000


def test_bare_metal(files) -> None:
    plan = plan_boot(1 * MIB, BootFiles(firmware=parse_firmware(files.elf(), "f")))
    assert (plan.entry, plan.kernel_entry) == (0x8000_0004, None)
    assert plan.fdt_gpa + FDT_ROOM_BYTES < RAM_BASE + MIB


def test_initrd_goes_where_qemu_puts_it(files) -> None:
    for memory, start in ((128, 0x8020_0000 + 64 * MIB), (4096, 0x8020_0000 + 128 * MIB)):
        plan = plan_boot(memory * MIB, boot(files, initrd=bytes(5000)))
        assert plan.initrd == (start, start + 5000)
    large = plan_boot(1024 * MIB, boot(files, size=300 * MIB, initrd=bytes(5000)))
    assert large.initrd == (0x8020_0000 + 300 * MIB, 0x8020_0000 + 300 * MIB + 5000)


@pytest.mark.parametrize("memory", [64, 128, 200, 4096])
@pytest.mark.parametrize("initrd", [1, 10 * MIB, 40 * MIB])
@pytest.mark.parametrize("size", [4 * MIB, 15 * MIB])
def test_nothing_overlaps(files, memory: int, initrd: int, size: int) -> None:
    plan = plan_boot(
        memory * MIB, boot(files, size=size, initrd=bytes(initrd), firmware=files.elf())
    )
    spans = [(s.gpa, s.end) for s in plan.segments]
    spans.append((plan.fdt_gpa, plan.fdt_gpa + FDT_ROOM_BYTES))
    for one, other in itertools.pairwise(sorted(spans)):
        assert one[1] <= other[0]
    assert max(end for _, end in spans) <= RAM_BASE + memory * MIB
    assert plan.fdt_gpa % 8 == 0


@pytest.mark.parametrize(
    ("memory", "options", "words"),
    [
        (4, {}, "4 MiB of memory are too little .kernel k reaches to 6 MiB.; give at least 6 MiB"),
        (6, {}, "no room for the device tree.*give at least 7 MiB"),
        (16, {"initrd": bytes(12 * MIB)}, "the initrd .12 MiB. do not fit.; give at least 20 MiB"),
    ],
)
def test_too_little_memory(files, memory: int, options: dict, words: str) -> None:
    with pytest.raises(HospesError, match=words):
        plan_boot(memory * MIB, boot(files, **options))


def test_the_memory_asked_for_is_enough(files) -> None:
    chosen = boot(files, initrd=bytes(12 * MIB))
    with pytest.raises(HospesError, match="give at least") as caught:
        plan_boot(16 * MIB, chosen)
    plan_boot(int(str(caught.value).split()[-2]) * MIB, chosen)


def test_addresses_outside_memory_and_overlaps(files) -> None:
    low = BootFiles(firmware=parse_firmware(files.elf(0x4000_0000), "firmware f"))
    with pytest.raises(HospesError, match="firmware f is linked for address 0x40000000"):
        plan_boot(64 * MIB, low)
    kernel = parse_kernel(files.elf(0x8000_0800), "kernel k")
    both = BootFiles(kernel, None, parse_firmware(files.elf(), "firmware f"))
    with pytest.raises(HospesError, match="kernel k and firmware f overlap"):
        plan_boot(64 * MIB, both)
    with pytest.raises(HospesError, match="nothing to boot"):
        plan_boot(64 * MIB, BootFiles())
