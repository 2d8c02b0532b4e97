"""Every form of kernel boots, and every way off ends the machine with the guest's own exit code."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import zstandard
from tests.firmware.conftest import Files
from tests.guest.pair import BOOT_SECONDS
from tests.ui.programs import EQUATES, bare_metal, hospes

from hospes import HospesError, Machine
from hospes.api import Ending, EndKind
from hospes.guests.store import Image
from hospes.isa.riscv.profile import RV64

pytestmark = pytest.mark.guest

ENGINES: Final = ("reference", "threaded")
KERNEL_GPA: Final = 0x8020_0000
RAM: Final = 0x8000_0000
TOHOST: Final = ".equ TOHOST, 0x80000800\n.equ FROMHOST, 0x80000840\n"
TEST_DEVICE: Final = 0x10_0000


def elf(image: bytes) -> bytes:
    """An ELF executable that is nothing but the image, at the kernel's address."""
    size = int.from_bytes(image[16:24], "little")
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    numbers = (2, 243, 1, KERNEL_GPA, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    header = struct.pack("<16sHHIQQQIHHHHHH", ident, *numbers)
    load = struct.pack("<IIQQQQQQ", 1, 7, 4096, KERNEL_GPA, KERNEL_GPA, len(image), size, 4096)
    return (header + load).ljust(4096, b"\0") + image


@pytest.mark.parametrize(
    "pack",
    [lambda image: gzip.compress(image, 1), zstandard.ZstdCompressor(1).compress, elf],
    ids=["gzip", "zstd", "elf"],
)
def test_a_kernel_in_another_form(
    tiny: Image, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    kernel = tmp_path / "kernel"
    kernel.write_bytes(pack(tiny.kernel.read_bytes()))
    append = f"{tiny.manifest.append} hospes.agent=hvc0"
    with Machine(None, kernel=kernel, initrd=tiny.initrd, append=append, memory="256M") as machine:
        assert machine.run("uname -m", BOOT_SECONDS).stdout == "riscv64\n"


BY_SYSCON: Final = "poweroff -f"
"""What Linux prefers when there is both."""
DRIVER: Final = "/sys/bus/platform/drivers/syscon-poweroff"
BY_FIRMWARE: Final = f"echo poweroff >{DRIVER}/unbind; poweroff -f"


def leave(vm: Machine, command: str) -> Ending:
    """Run a command that ends the guest a moment later."""
    assert vm.session.ready(BOOT_SECONDS)
    vm.run(f"(sleep 0.2; {command}) >/dev/null 2>&1 &", 60)
    return vm.wait(BOOT_SECONDS)


@pytest.mark.parametrize(
    ("command", "calls", "code"),
    [
        (BY_SYSCON, 0, 0),
        (BY_FIRMWARE, 1, 0),
        (f"devmem {TEST_DEVICE:#x} 32 0x2a3333", 0, 42),
    ],
    ids=["syscon", "SBI", "with a code"],
)
def test_linux_switches_itself_off(tiny: Image, command: str, calls: int, code: int) -> None:
    with Machine("tiny") as vm:
        ending = leave(vm, command)
        assert (ending.kind, ending.exit_code) == (EndKind.GUEST, code)
        assert vm.stats.hypercalls.get("SRST", 0) == calls
        assert ("test" in vm.stats.devices) == (not calls)


@pytest.mark.parametrize("command", ["reboot -f", f"devmem {TEST_DEVICE:#x} 32 0x7777"])
def test_linux_restarts_itself(tiny: Image, command: str) -> None:
    with Machine("tiny") as vm:
        assert vm.session.ready(BOOT_SECONDS)
        with pytest.raises(HospesError, match="restarted meanwhile"):
            vm.run(f"{command}; sleep 1000", BOOT_SECONDS)
        assert vm.core.restarts == 1
        assert float(vm.run("cut -d ' ' -f 1 /proc/uptime", BOOT_SECONDS).stdout) < 60


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("code", [0, 1, 42])
def test_a_bare_metal_elf_ends_through_htif(tmp_path: Path, engine: str, code: int) -> None:
    source = f"""
        la s0, text
    next:
        lbu t0, 0(s0)
        beqz t0, done
        li t1, 0x0101 << 48
        or t0, t0, t1
        li t2, TOHOST
        sd t0, 0(t2)
    1:  ld t0, 0(t2)
        bnez t0, 1b
        addi s0, s0, 1
        j next
    done:
        li t2, TOHOST
        li t0, ({code} << 1) | 1
        sd t0, 0(t2)
    hang: j hang
    text: .ascii "through HTIF\\n"
        .byte 0
    """
    program = RV64.program(TOHOST + source, RAM).code
    path = tmp_path / "test.elf"
    path.write_bytes(Files.elf(code=program, entry=RAM))
    done = hospes("run", "--bios", str(path), "--engine", engine)
    assert (done.returncode, done.stdout) == (code, "through HTIF\n")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("value", "code"), [(0x5555, 0), (0x3333, 1), (0x7_3333, 7)])
def test_a_bare_metal_elf_ends_through_the_test_device(
    tmp_path: Path, engine: str, value: int, code: int
) -> None:
    source = f"li t0, TEST\nli t1, {value:#x}\nsw t1, 0(t0)\n1: j 1b\n"
    path = tmp_path / "test.elf"
    path.write_bytes(Files.elf(code=RV64.program(EQUATES + source, RAM).code, entry=RAM))
    assert hospes("run", "--bios", str(path), "--engine", engine).returncode == code
    done = hospes("run", "--bios", str(bare_metal(tmp_path / "test.bin", source)))
    assert done.returncode == code
