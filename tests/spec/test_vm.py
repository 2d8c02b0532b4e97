"""What can be asked for, and how the rest is refused."""

from pathlib import Path
from typing import Any

import pytest

from hospes.base.errors import HospesError
from hospes.spec.vm import EngineKind, InterruptKind, VmSpec

KERNEL = Path("/k")


def test_defaults() -> None:
    spec = VmSpec(kernel=KERNEL)
    assert (spec.cpus, spec.memory_bytes, spec.engine) == (1, 1 << 30, EngineKind.THREADED)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({}, InterruptKind.AIA),
        ({"bios": KERNEL}, InterruptKind.PLIC),
        ({"interrupts": "plic"}, InterruptKind.PLIC),
        ({"interrupts": "plic", "bios": KERNEL}, InterruptKind.PLIC),
        ({"interrupts": "aia"}, InterruptKind.AIA),
    ],
)
def test_firmware_gets_the_plic(values: dict[str, Any], kind: InterruptKind) -> None:
    assert VmSpec(**{"kernel": KERNEL, **values}).interrupt_kind is kind


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kernel": None}, "nothing to boot; give --kernel"),
        ({"kernel": None, "bios": KERNEL, "initrd": KERNEL}, "of no use without a kernel"),
        ({"kernel": None, "bios": KERNEL, "append": "x"}, "of no use without a kernel"),
        ({"cpus": 0}, "0 CPUs cannot be had; ask for 1 to 64"),
        ({"cpus": 65}, "65 CPUs"),
        ({"memory_bytes": 4096}, "4K bytes of memory cannot be had; ask for 1M to 1T"),
        ({"memory_bytes": (1 << 20) + 1}, "not a multiple of 4096; ask for 1052672"),
        ({"append": "x" * 1024}, "has 1024 bytes, but Linux on RISC-V keeps only 1023"),
        ({"append": "a\nb"}, "control characters"),
        ({"append": "\udcff"}, "control characters"),
        ({"interrupts": "pic"}, "no interrupt architecture 'pic'; choose aia or plic"),
        ({"interrupts": "aia", "bios": KERNEL}, "firmware /k cannot have AIA"),
        ({"engine": "qemu"}, "no engine 'qemu'; choose threaded or reference"),
    ],
)
def test_refusals(values: dict[str, Any], words: str) -> None:
    with pytest.raises(HospesError, match=words):
        VmSpec(**{"kernel": KERNEL, **values})
