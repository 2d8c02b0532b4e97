"""SBI extension BASE: which SBI this is and what it offers (SBI 2.0, chapter 4)."""

from collections.abc import Callable, Sequence
from typing import Final

from hospes.firmware.sbi.call import Answer, Extension, Function, Platform, success
from hospes.isa.riscv.hart import Hart

SPEC_VERSION: Final = 2 << 24
IMPLEMENTATION_ID: Final = 0x486F_7370
"""No number is registered for us; this one spells 'Hosp'."""
IMPLEMENTATION_VERSION: Final = 1


def constant(value: int) -> Function:
    """A function that always answers the same value."""

    def answer(platform: Platform, hart: Hart, arguments: Sequence[int]) -> Answer:
        return success(value)

    return answer


def base_extension(offers: Callable[[int], bool]) -> Extension:
    """The BASE extension of an SBI; offers tells whether it has an extension of a number."""

    def probe_extension(platform: Platform, hart: Hart, arguments: Sequence[int]) -> Answer:
        return success(int(offers(arguments[0])))

    functions = {
        0: constant(SPEC_VERSION),
        1: constant(IMPLEMENTATION_ID),
        2: constant(IMPLEMENTATION_VERSION),
        3: probe_extension,
        4: constant(0),
        5: constant(0),
        6: constant(0),
    }
    return Extension(0x10, "BASE", functions)
