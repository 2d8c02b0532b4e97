"""Zicbom and Zicboz (CMO extensions): enables, blocks, faults."""

import pytest
from tests.isa.riscv.guest import RAM_BASE, Guest, encode
from tests.isa.riscv.paged import FRAME, FULL, GVA, Paged

from hospes.isa.riscv.encoding import (
    ENVCFG_CBCFE,
    ENVCFG_CBIE,
    ENVCFG_CBZE,
    MODE_M,
    MODE_S,
    MODE_U,
    PTE_A,
    PTE_D,
    PTE_W,
)

ENABLE = {
    "cbo.inval": ENVCFG_CBIE,
    "cbo.clean": ENVCFG_CBCFE,
    "cbo.flush": ENVCFG_CBCFE,
    "cbo.zero": ENVCFG_CBZE,
}
DATA = RAM_BASE + 0x8000


@pytest.mark.parametrize("name", ENABLE)
def test_enables(name: str) -> None:
    """menvcfg opens them to S and U, senvcfg also guards U; M-mode always may."""
    bits = ENABLE[name]
    for mode, menvcfg, senvcfg, legal in (
        (MODE_M, 0, 0, True),
        (MODE_S, 0, bits, False),
        (MODE_S, bits, 0, True),
        (MODE_U, bits, 0, False),
        (MODE_U, 0, bits, False),
        (MODE_U, bits, bits, True),
    ):
        guest = Guest(mode)
        guest.set("menvcfg", menvcfg)
        guest.set("senvcfg", senvcfg)
        guest.h.x[5] = DATA
        guest.execute(name, rs1=5)
        assert (guest.trap is None) == legal
        if not legal:
            assert guest.trap == ("M", 2, encode(name, rs1=5))


def test_inval_may_be_a_flush() -> None:
    """CBIE = 1 makes cbo.inval a flush, 3 an invalidation; both are open."""
    for cbie in (1, 3):
        guest = Guest(MODE_S)
        guest.set("menvcfg", cbie << 4)
        guest.h.x[5] = DATA
        guest.execute("cbo.inval", rs1=5)
        assert guest.trap is None


@pytest.mark.parametrize("offset", [0, 1, 37, 63])
def test_zero_clears_one_block(offset: int) -> None:
    guest = Guest(MODE_M)
    start = DATA - RAM_BASE
    guest.ram.data[start - 64 : start + 128] = b"\xff" * 192
    guest.h.x[5] = DATA + offset
    guest.execute("cbo.zero", rs1=5)
    assert guest.ram.data[start - 64 : start + 128] == b"\xff" * 64 + bytes(64) + b"\xff" * 64


@pytest.mark.parametrize("name", ENABLE)
def test_faults_are_stores_at_the_operand(name: str) -> None:
    """ "Traps": a store/AMO fault, whose value is the address given, aligned or not."""
    guest = Paged(mode=MODE_S)
    guest.set("menvcfg", ENABLE[name] | 1 << 61)
    guest.map(RAM_BASE, RAM_BASE, FULL)
    guest.h.x[5] = GVA + 0x123
    guest.execute(name, rs1=5)
    assert guest.trap == ("M", 15, GVA + 0x123)


@pytest.mark.parametrize("name", ENABLE)
def test_read_only_page(name: str) -> None:
    """Managing a block needs the right to load or store; zeroing it the right to store."""
    guest = Paged(mode=MODE_S)
    guest.set("menvcfg", ENABLE[name] | 1 << 61)
    guest.map(RAM_BASE, RAM_BASE, FULL)
    slot = guest.map(GVA, FRAME, FULL & ~(PTE_W | PTE_A | PTE_D))
    guest.h.x[5] = GVA
    guest.execute(name, rs1=5)
    assert (guest.trap is None) == (name != "cbo.zero")
    if name != "cbo.zero":
        assert guest.ram.load(slot, 8) & (PTE_A | PTE_D) == PTE_A


def test_access_fault() -> None:
    guest = Guest(MODE_S, open_pmp=False)
    guest.set("menvcfg", ENVCFG_CBCFE)
    guest.set("pmpaddr0", (RAM_BASE >> 2) | 0x3FF)
    guest.set("pmpcfg0", 0x1F)
    guest.h.x[5] = DATA
    guest.execute("cbo.clean", rs1=5)
    assert guest.trap == ("M", 7, DATA)
