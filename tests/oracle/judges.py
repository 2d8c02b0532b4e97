"""The judges: each runs an image and gives back its results, its log of traps and its data."""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import unicorn
from tests.oracle.image import (
    BASE,
    DATA,
    DATA_BYTES,
    END,
    FINISHER,
    RESULTS,
    SCRATCH,
    TRAPS,
    Image,
)
from unicorn import riscv_const as reg

from hospes.engine.engine import Engine, Exit
from hospes.engine.reference import ReferenceEngine
from hospes.engine.threaded.engine import ThreadedEngine
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.priv import reset
from hospes.memory.space import Memory

SIZE: Final = END - BASE
QEMU: Final = "qemu-system-riscv64"
QEMU_CPU: Final = "rv64,h=false,svinval=true,sstc=true,zbc=false,pmu-num=29"
SLICE: Final = 50_000_000
SHARED_MEMORY: Final = Path("/dev/shm")


@dataclass
class Outcome:
    """What a run left: results as u64, traps as rows of cause, value, address and MPP, data."""

    results: npt.NDArray[np.uint64]
    traps: npt.NDArray[np.uint64]
    data: bytes


class FinisherBus:
    """No device answers; a store to the finisher is what the program ends with."""

    def __init__(self) -> None:
        self.finished = False

    def read(self, gpa: int, size: int) -> int | None:
        return None

    def write(self, gpa: int, size: int, value: int) -> bool:
        self.finished = gpa == FINISHER
        return self.finished


def outcome(image: Image, memory: memoryview) -> Outcome:
    """Read a run's outcome from all of RAM."""
    log = SCRATCH - BASE + 16
    end = int.from_bytes(memory[log : log + 8], "little")
    results = memory[RESULTS - BASE : image.results_gpa - BASE]
    return Outcome(
        np.frombuffer(results, dtype="<u8").copy(),
        np.frombuffer(memory[TRAPS - BASE : end - BASE], dtype="<u8").copy().reshape(-1, 4),
        bytes(memory[DATA - BASE : DATA - BASE + DATA_BYTES]),
    )


def run_hospes(image: Image, *, threaded: bool) -> Outcome:
    """On one of our engines; the reference engine completes device accesses, as in a machine."""
    memory = Memory(SIZE, BASE)
    for gpa, content in image.regions():
        memory.write(gpa, content)
    bus = FinisherBus()
    reference = ReferenceEngine(memory, bus)
    engine: Engine = ThreadedEngine(memory) if threaded else reference
    hart = Hart()
    reset(hart)
    hart.pc = BASE
    while not bus.finished:
        reason = engine.run(hart, 1000 if engine is reference else SLICE)
        if reason in (Exit.DEVICE, Exit.REFERENCE):
            reference.step(hart)
        elif reason is not Exit.BUDGET:
            raise AssertionError(f"the run ended with {reason.name} at {hart.pc:#x}")
    result = outcome(image, memory.view(BASE, SIZE))
    memory.close()
    return result


def run_qemu(image: Image, timeout_s: int = 300) -> Outcome:
    """On qemu-system-riscv64, RAM being a file that holds the program and then the results."""
    directory = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        for gpa, content in image.regions():
            file.seek(gpa - BASE)
            file.write(content)
        file.truncate(SIZE)
        file.flush()
        backend = f"memory-backend-file,id=ram,size={SIZE},mem-path={file.name},share=on"
        command = [
            QEMU, "-M", "virt,memory-backend=ram", "-m", f"{SIZE >> 20}M", "-object", backend,
            "-cpu", QEMU_CPU, "-bios", "none", "-display", "none", "-monitor", "none",
            "-serial", "none", "-nodefaults",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, timeout=timeout_s, check=False)
        assert done.returncode == 0, done.stderr.decode()
        ram = np.memmap(file.name, dtype=np.uint8, mode="r")
        return outcome(image, memoryview(ram))


class Unicorn:
    """A unicorn hart in M-mode. Unicorn stops at traps instead of taking them: the hooks do what
    the architecture does, as far as the program's handler needs it."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.machine = machine = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV64)
        machine.mem_map(BASE, SIZE)
        for gpa, content in image.regions():
            machine.mem_write(gpa, content)
        machine.hook_add(unicorn.UC_HOOK_INTR, self._exception)
        machine.hook_add(unicorn.UC_HOOK_MEM_UNMAPPED, self._unmapped)
        self.cause = self.value = 0

    def _exception(self, machine: unicorn.Uc, number: int, data: object) -> None:
        """An exception; unicorn has moved pc four bytes on."""
        self._trap(number, machine.reg_read(reg.UC_RISCV_REG_PC) - 4, 0)

    def _unmapped(
        self, machine: unicorn.Uc, access: int, gva: int, size: int, value: int, data: object
    ) -> bool:
        self.cause = 5 if access == unicorn.UC_MEM_READ_UNMAPPED else 7
        if access == unicorn.UC_MEM_FETCH_UNMAPPED:
            self.cause = 1
        self.value = gva
        return False

    def _trap(self, cause: int, pc: int, value: int) -> None:
        machine = self.machine
        machine.reg_write(reg.UC_RISCV_REG_MEPC, pc)
        machine.reg_write(reg.UC_RISCV_REG_MCAUSE, cause)
        machine.reg_write(reg.UC_RISCV_REG_MTVAL, value)
        status = machine.reg_read(reg.UC_RISCV_REG_MSTATUS)
        machine.reg_write(reg.UC_RISCV_REG_MSTATUS, status | 3 << 11)
        machine.reg_write(reg.UC_RISCV_REG_PC, machine.reg_read(reg.UC_RISCV_REG_MTVEC))

    def run(self) -> Outcome:
        """Run to the end."""
        machine, pc = self.machine, BASE
        while True:
            self.cause = 0
            try:
                machine.emu_start(pc, 0)
            except unicorn.UcError:
                if self.value == FINISHER and self.cause == 7:
                    return outcome(self.image, memoryview(machine.mem_read(BASE, SIZE)))
                if not self.cause:
                    raise
                self._trap(self.cause, machine.reg_read(reg.UC_RISCV_REG_PC), self.value)
            pc = machine.reg_read(reg.UC_RISCV_REG_PC)


def run_unicorn(image: Image) -> Outcome:
    """On unicorn."""
    image.finish()
    return Unicorn(image).run()
