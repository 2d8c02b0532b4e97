"""Bare-metal guests that misbehave in every way: the host stays in charge."""

import os
import random
import time
from pathlib import Path
from typing import Final

import pytest
from tests.ui.programs import BASE, SAY, SPIN, bare_metal
from tests.ui.test_foreground import on_a_terminal, read_until

from hospes import HospesError, Machine
from hospes.api import EndKind
from hospes.firmware.image import BootFiles, parse_firmware
from hospes.isa.riscv.profile import RV64
from hospes.machine.machine import Machine as Core
from hospes.spec.vm import VmSpec

pytestmark = pytest.mark.guest

ENGINES: Final = ("reference", "threaded")
SOON_SECONDS: Final = 1.0
TRIES: Final = 3
"""A busy host may be late once."""

MAD: Final = {
    "a jump to garbage": "li t0, 0xdeadbeef0000\njr t0",
    "a jump to a device": "li t0, 0x10000000\njr t0",
    "interrupts off": SPIN,
    "a trap whose handler traps": "la t0, bad\ncsrw mtvec, t0\nbad: .word 0",
    "a handler that returns to the trap": """
        la t0, handler
        csrw mtvec, t0
        .word 0
    handler: mret
    """,
    "a handler that is nowhere": "li t0, -4\ncsrw mtvec, t0\necall",
    "sleep without a wake-up": "csrw mie, x0\n1: wfi\nj 1b",
    "page tables of garbage": """
        li t0, (10 << 60) | 0x80123
        csrw satp, t0
        li t0, 0x0800
        csrs mstatus, t0
        la t0, 1f
        csrw mepc, t0
        mret
    1:  j 1b
    """,
    "storing everywhere": """
        la t0, on
        csrw mtvec, t0
        li t1, 0
    again:
        sd t1, 0(t1)
        ld t2, 8(t1)
    on: li t3, 0x7fff0
        add t1, t1, t3
        j again
    """,
    "fences for ever": "1: sfence.vma\nfence.i\nj 1b",
    "code that writes itself": """
    1:  auipc t0, 0
        lw t1, 12(t0)
        sw t1, 12(t0)
        addi t2, t2, 1
        fence.i
        j 1b
    """,
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", MAD)
def test_a_mad_guest_can_be_looked_at_and_stopped(tmp_path: Path, name: str, engine: str) -> None:
    program = bare_metal(tmp_path / "mad.bin", MAD[name])
    late = []
    for _ in range(TRIES):
        with Machine(None, bios=program, memory="8M", engine=engine) as machine:
            time.sleep(0.1)
            machine.pause()
            assert machine.registers()["pc"] == machine.registers().pc
            assert len(machine.read(BASE, 4096)) == 4096
            machine.resume()
            begun = time.monotonic()
            machine.stop()
            assert machine.wait(60).kind is EndKind.USER
            took = time.monotonic() - begun
        if took < SOON_SECONDS:
            return
        late.append(took)
    pytest.fail(f"stopping took {late} s")


def test_the_leave_key_works_within_a_second(tmp_path: Path) -> None:
    spin = str(bare_metal(tmp_path / "spin.bin", SAY + SPIN))
    late = []
    for _ in range(TRIES):
        with on_a_terminal("run", "--bios", spin) as (process, ours, _):
            read_until(ours, b"ok")
            begun = time.monotonic()
            os.write(ours, b"\x1d")
            assert process.wait(60) == 0
            late.append(time.monotonic() - begun)
        if late[-1] < SOON_SECONDS:
            return
    pytest.fail(f"leaving took {late} s")


@pytest.mark.parametrize("engine", ENGINES)
def test_random_bytes_as_firmware(engine: str) -> None:
    """Whatever they do, the machine can be paused, read and stopped; no error of ours shows."""
    for seed in range(12):
        choose = random.Random(seed)
        code = b"".join(random_code(choose) for _ in range(4096))
        files = BootFiles(firmware=parse_firmware(code, "noise"))
        spec = VmSpec(bios=Path("noise"), memory_bytes=8 << 20, engine=engine, cpus=1 + seed % 2)
        with Core(spec, files) as machine:
            machine.start()
            time.sleep(0.05)
            if machine.ending is None:
                try:
                    machine.pause()
                    machine.registers()
                except HospesError:
                    assert machine.ending is not None
            machine.stop()
            assert machine.wait(60).kind in (EndKind.USER, EndKind.GUEST)


def random_code(choose: random.Random) -> bytes:
    """Noise, or an instruction that exists with random operands."""
    if choose.random() < 0.2:
        return choose.randbytes(4)
    insn = choose.choice(RV64.insns)
    word = insn.match | (choose.getrandbits(32) & ~insn.mask)
    return word.to_bytes(4, "little")[: insn.length]
