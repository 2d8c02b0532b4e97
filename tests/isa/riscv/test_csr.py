"""CSRs: who may access them and how (Privileged ISA, chapter 2; Zicsr; Zicntr)."""

import pytest
from tests.isa.riscv.guest import CODE, Guest, encode, illegal

from hospes.base.errors import HospesError
from hospes.isa.riscv import csr_table
from hospes.isa.riscv.csr import CSR_NUMBERS, CSRS
from hospes.isa.riscv.csr_table import Csr
from hospes.isa.riscv.encoding import (
    MODE_M,
    MODE_S,
    MODE_U,
)

ONES = (1 << 64) - 1
ILLEGAL = 2


@pytest.fixture
def m() -> Guest:
    return Guest(MODE_M)


def test_address_gives_lowest_privilege() -> None:
    """2.1: bits 9:8 are the lowest privilege mode that can access the CSR."""
    for number, csr in CSRS.items():
        if (number >> 8) & 3 == 3:
            assert illegal(Guest(MODE_S), csr.name), csr.name
        if (number >> 8) & 3:
            assert illegal(Guest(MODE_U), csr.name), csr.name


def test_every_csr_is_readable_in_machine_mode() -> None:
    for csr in CSRS.values():
        guest = Guest(MODE_M)
        guest.h.fs = guest.h.aia = 1
        guest.h.siselect = 0x70
        assert guest.csr(csr.name) is not None, csr.name


@pytest.mark.parametrize("name", ["mvendorid", "mhartid", "cycle", "time", "hpmcounter31"])
def test_read_only_csrs_cannot_be_written(m: Guest, name: str) -> None:
    """2.1: bits 11:10 = 3 mark a read-only CSR; writing it is an illegal instruction."""
    assert illegal(m, name, 0)


def test_set_and_clear_without_source_do_not_write(m: Guest) -> None:
    """Zicsr: with rs1 = x0 (or uimm = 0) csrrs and csrrc do not write, even read-only CSRs."""
    for name, fields in (("csrrs", {"rs1": 0}), ("csrrc", {"rs1": 0}), ("csrrsi", {"uimm": 0})):
        m.execute(name, rd=1, csr=CSR_NUMBERS["mvendorid"], **fields)
        assert m.trap is None
    m.execute("csrrsi", rd=1, csr=CSR_NUMBERS["mvendorid"], uimm=1)
    assert m.trap is not None


@pytest.mark.parametrize("number", [0x000, 0x3A1, 0x3C0, 0x747, 0x7B0, 0xBC0, 0xFFF, 0x280])
def test_absent_csrs_are_illegal(m: Guest, number: int) -> None:
    m.execute("csrrs", rd=1, csr=number, rs1=0)
    assert m.trap == ("M", ILLEGAL, encode("csrrs", rd=1, csr=number, rs1=0))


def test_illegal_access_changes_nothing(m: Guest) -> None:
    m.h.x[5] = 77
    m.execute("csrrw", rd=5, csr=CSR_NUMBERS["mvendorid"], rs1=5)
    assert m.trap is not None
    assert m.h.x[5] == 77


def test_six_instructions(m: Guest) -> None:
    number = CSR_NUMBERS["mscratch"]
    m.h.x[1] = 0b1100
    m.execute("csrrw", rd=2, csr=number, rs1=1)
    assert (m.h.x[2], m.h.mscratch) == (0, 0b1100)
    m.h.x[1] = 0b0110
    m.execute("csrrs", rd=2, csr=number, rs1=1)
    assert (m.h.x[2], m.h.mscratch) == (0b1100, 0b1110)
    m.execute("csrrc", rd=2, csr=number, rs1=1)
    assert (m.h.x[2], m.h.mscratch) == (0b1110, 0b1000)
    m.execute("csrrwi", rd=2, csr=number, uimm=21)
    assert (m.h.x[2], m.h.mscratch) == (0b1000, 21)
    m.execute("csrrsi", rd=2, csr=number, uimm=2)
    assert (m.h.x[2], m.h.mscratch) == (21, 23)
    m.execute("csrrci", rd=2, csr=number, uimm=4)
    assert (m.h.x[2], m.h.mscratch) == (23, 19)
    m.h.x[3] = 5
    m.execute("csrrw", rd=3, csr=number, rs1=3)
    assert (m.h.x[3], m.h.mscratch) == (19, 5)
    m.execute("csrrw", rd=0, csr=number, rs1=0)
    assert (m.h.x[0], m.h.mscratch) == (0, 0)


@pytest.mark.parametrize("fs", range(4))
def test_fs_and_sd(m: Guest, fs: int) -> None:
    """3.1.6.6: SD is set exactly when FS is Dirty; Off makes the floating-point CSRs illegal."""
    m.csr("mstatus", fs << 13)
    assert m.csr("mstatus") >> 13 & 3 == fs
    assert m.csr("mstatus") >> 63 == (fs == 3)
    assert m.csr("sstatus") >> 63 == (fs == 3)
    for name in ("fflags", "frm", "fcsr"):
        guest = Guest()
        guest.csr("sstatus", fs << 13)
        assert illegal(guest, name) == (fs == 0)


def test_fcsr_is_fflags_and_frm(m: Guest) -> None:
    m.csr("mstatus", 1 << 13)
    m.csr("fcsr", 0x1FF)
    assert (m.csr("fflags"), m.csr("frm"), m.csr("fcsr")) == (0x1F, 7, 0xFF)
    assert m.h.fs == 3
    m.csr("frm", 2)
    m.csr("fflags", 0x21)
    assert m.csr("fcsr") == 2 << 5 | 1


def test_fp_ok_follows_frm_and_fs(m: Guest) -> None:
    m.csr("mstatus", 1 << 13)
    m.csr("frm", 2)
    assert list(m.h.fp_ok) == [0, 0, 1, 0, 0, 0, 0, 1]
    m.csr("frm", 4)
    assert list(m.h.fp_ok) == [0] * 8
    m.csr("frm", 0)
    assert list(m.h.fp_ok) == [1, 0, 0, 0, 0, 0, 0, 1]
    m.csr("mstatus", 0)
    assert list(m.h.fp_ok) == [0] * 8


@pytest.mark.parametrize(
    ("name", "bit"), [("cycle", 1), ("time", 2), ("instret", 4), ("hpmcounter3", 8)]
)
def test_counter_enables(name: str, bit: int) -> None:
    """3.1.11 and 12.1.5: mcounteren opens a counter to S and U, scounteren also guards U."""

    def guest(mode: int, mcounteren: int, scounteren: int) -> Guest:
        made = Guest(mode)
        made.set("mcounteren", mcounteren)
        made.set("scounteren", scounteren)
        return made

    absent = bit == 8
    assert not illegal(guest(MODE_M, 0, 0), name)
    assert illegal(guest(MODE_S, ~bit, ONES), name)
    assert illegal(guest(MODE_S, bit, 0), name) == absent
    assert illegal(guest(MODE_U, bit, ~bit), name)
    assert illegal(guest(MODE_U, ~bit, bit), name)
    assert illegal(guest(MODE_U, bit, bit), name) == absent


def test_time_is_the_timebase(m: Guest) -> None:
    m.time.now = 123_456
    assert m.csr("time") == 123_456


def test_a_number_is_declared_once() -> None:
    class Module:
        __name__ = "module"
        twice = (Csr(1, "a"), Csr(1, "b"))

    with pytest.raises(HospesError, match="both a and b"):
        csr_table.collect(Module)


def test_pc_advances(m: Guest) -> None:
    m.csr("mscratch")
    assert m.h.pc == CODE + 4
