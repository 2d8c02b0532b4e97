"""Machine-level CSRs: what they take and give (Privileged ISA, chapter 3)."""

import pytest
from tests.isa.riscv.guest import Guest

from hospes.isa.riscv.csr import CSR_NUMBERS
from hospes.isa.riscv.encoding import (
    ENVCFG_ADUE,
    MODE_M,
    SEI,
    SSI,
    STATUS_MPP,
    STATUS_SD,
    STATUS_SXL_64,
    STATUS_UXL_64,
)

ONES = (1 << 64) - 1


@pytest.fixture
def m() -> Guest:
    return Guest(MODE_M)


def test_misa_is_imafdcsu(m: Guest) -> None:
    letters = "".join(chr(65 + bit) for bit in range(26) if m.csr("misa") >> bit & 1)
    assert letters == "ACDFIMSU"
    assert m.csr("misa") >> 62 == 2
    m.csr("misa", 0)
    assert m.csr("misa") >> 62 == 2


def test_mstatus_takes_what_exists(m: Guest) -> None:
    """3.1.6: VS and XS are 0, UXL and SXL 2, UBE, SBE, MBE 0; SD follows FS."""
    m.csr("mstatus", ONES)
    assert m.csr("mstatus") == STATUS_SD | STATUS_UXL_64 | STATUS_SXL_64 | 0x7E_79AA
    m.csr("mstatus", 0)
    assert m.csr("mstatus") == STATUS_UXL_64 | STATUS_SXL_64


def test_reserved_mpp_is_not_taken(m: Guest) -> None:
    m.csr("mstatus", 1 << 11)
    m.csr("mstatus", 2 << 11)
    assert m.csr("mstatus") & STATUS_MPP == 1 << 11


@pytest.mark.parametrize("name", ["mtvec", "stvec"])
def test_trap_vectors_are_direct_or_vectored(m: Guest, name: str) -> None:
    for written, read in ((0x1000, 0x1000), (0x1001, 0x1001), (0x1002, 0x1000), (0x1003, 0x1001)):
        m.set(name, written)
        assert m.csr(name) == read


@pytest.mark.parametrize("name", ["mepc", "sepc"])
def test_epc_is_even(m: Guest, name: str) -> None:
    """3.1.14: with IALIGN = 16 only bit 0 is always zero."""
    m.csr(name, ONES)
    assert m.csr(name) == ONES - 1


@pytest.mark.parametrize(
    ("name", "mask"),
    [
        ("medeleg", 0xB3FF),
        ("mideleg", 0x222),
        ("mie", 0xAAA),
        ("mcounteren", 7),
        ("scounteren", 7),
        ("mcountinhibit", 5),
        ("menvcfg", 1 << 63 | 1 << 61 | 0xF1),
        ("senvcfg", 0xF1),
        ("mscratch", ONES),
        ("sscratch", ONES),
        ("mcause", ONES),
        ("scause", ONES),
        ("mtval", ONES),
        ("stval", ONES),
        ("stimecmp", ONES),
        ("mhpmcounter3", 0),
        ("mhpmevent31", 0),
        ("tselect", 0),
        ("tdata1", 0),
        ("mconfigptr", 0),
    ],
)
def test_writable_bits(m: Guest, name: str, mask: int) -> None:
    if CSR_NUMBERS[name] < 0xC00:
        m.csr(name, ONES)
    assert m.csr(name) == mask
    m.set(name, 0)
    assert m.csr(name) == 0


def test_reserved_cbie_is_not_taken(m: Guest) -> None:
    for name in ("menvcfg", "senvcfg"):
        m.csr(name, 1 << 4)
        m.csr(name, 2 << 4)
        assert m.csr(name) == 1 << 4
        m.csr(name, 3 << 4)
        assert m.csr(name) == 3 << 4


def test_reset_state(m: Guest) -> None:
    """3.4 "Reset"; A and D bits are updated by hardware from the start (Svadu)."""
    guest = Guest(open_pmp=False)
    assert guest.h.mode == MODE_M
    assert guest.csr("menvcfg") == ENVCFG_ADUE
    assert guest.csr("mcause") == 0
    assert guest.csr("mstatus") == STATUS_UXL_64 | STATUS_SXL_64
    assert guest.csr("pmpcfg0") == 0


@pytest.mark.parametrize(("machine", "user"), [("mcycle", "cycle"), ("minstret", "instret")])
def test_counters_count_instructions(m: Guest, machine: str, user: str) -> None:
    """Zicntr: an instruction reads the count before it; a written value is what the next reads."""
    first = m.csr(machine)
    assert m.csr(user) == first + 1
    m.csr(machine, 1000)
    assert m.csr(user) == 1000
    assert m.csr(machine) == 1001
    m.csr(machine, ONES)
    assert m.csr(machine) == ONES
    assert m.csr(machine) == 0


@pytest.mark.parametrize(("name", "bit"), [("mcycle", 1), ("minstret", 4)])
def test_inhibited_counters_stand_still(m: Guest, name: str, bit: int) -> None:
    """3.1.12: mcountinhibit stops a counter, which can still be written."""
    m.csr(name, 100)
    m.csr("mcountinhibit", bit)
    assert m.csr(name) == 101
    assert m.csr(name) == 101
    m.csr(name, 500)
    assert m.csr(name) == 500
    m.csr("mcountinhibit", 0)
    assert m.csr(name) == 500
    assert m.csr(name) == 501


def test_trapping_instructions_do_not_retire(m: Guest) -> None:
    """3.3.1: ecall and ebreak raise exceptions and do not retire."""
    before = m.h.instret
    m.execute("ecall")
    assert m.h.instret == before


def test_external_line_is_not_written_back() -> None:
    """3.1.9: the interrupt controller's signal is in mip.SEIP as read, not as read-modified."""
    guest = Guest()
    guest.h.lines = SEI
    guest.h.x[1] = SSI
    guest.execute("csrrs", rd=2, csr=CSR_NUMBERS["mip"], rs1=1)
    assert guest.h.x[2] == SEI
    assert guest.h.mip == SSI
    guest.csr("mip", SEI)
    guest.execute("csrrc", rd=2, csr=CSR_NUMBERS["mip"], rs1=1)
    assert guest.h.mip == SEI
