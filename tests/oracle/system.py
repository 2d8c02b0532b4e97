"""Programs that execute system instructions in each privilege mode, under different settings."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from tests.oracle.image import SCRATCH, Image, encode

MODES: Final = {"U": 0, "S": 1, "M": 3}
ENTER: Final = """
    li t0, 0x1800
    csrc mstatus, t0
    li t0, {bits}
    csrs mstatus, t0
    lla t0, 1f
    csrw mepc, t0
    mret
1:  nop
"""
LEAVE: Final = f"""
    li t0, {SCRATCH}
    li t1, 1
    sd t1, 32(t0)
    ecall
"""
"""Asks the handler to go on in M-mode."""

Key = tuple[str, int]
"""What an instruction does with which CSR; or its name, with 0."""


@dataclass
class Stage:
    """What ran in one mode under one setting: the address of each instruction."""

    setting: str
    mode: str
    places: dict[int, Key] = field(default_factory=dict)


class SystemImage(Image):
    """An image of stages; every trap is taken in M-mode and logged."""

    def __init__(self, seed: str) -> None:
        super().__init__(seed)
        self.stages: list[Stage] = []

    def stage(self, setting: str, mode: str, words: Iterable[tuple[Key, int]]) -> Stage:
        """Execute words, each with a key that tells what it is, in a mode after some set-up."""
        stage = Stage(setting, mode)
        self.stages.append(stage)
        if setting:
            self.assemble(setting)
        if mode != "M":
            self.assemble(ENTER.format(bits=MODES[mode] << 11))
        for key, word in words:
            self.align()
            stage.places[self.pc] = key
            self.emit(word)
        self.align()
        if mode != "M":
            self.assemble(LEAVE)
        return stage

    def align(self) -> None:
        """Make up for a compressed instruction."""
        if self.pc & 2:
            self.emit(0x0001)


def reads(numbers: Iterable[int]) -> list[tuple[Key, int]]:
    """An instruction for each CSR that only reads it."""
    return [(("read", n), encode("csrrs", rd=10, csr=n, rs1=0)) for n in numbers]


def writes(numbers: Iterable[int]) -> list[tuple[Key, int]]:
    """An instruction for each CSR that writes back what it reads; x11 must be 0."""
    return [(("write", n), encode("csrrs", rd=10, csr=n, rs1=11)) for n in numbers]
