"""CSRs: who may access them, and what they take and give (Privileged ISA, chapters 2, 3 and 12)."""

import pytest
from tests.isa.riscv.guest import CODE, Guest, encode

from hospes.base.errors import HospesError
from hospes.isa.riscv import csr_table
from hospes.isa.riscv.csr import CSR_NUMBERS, CSRS
from hospes.isa.riscv.csr_table import Csr
from hospes.isa.riscv.encoding import (
    ENVCFG_ADUE,
    ENVCFG_STCE,
    MODE_M,
    MODE_S,
    MODE_U,
    SEI,
    SSI,
    STATUS_MPP,
    STATUS_SD,
    STATUS_SUM,
    STATUS_SXL_64,
    STATUS_TVM,
    STATUS_UXL_64,
    STI,
)

ONES = (1 << 64) - 1
ILLEGAL = 2


@pytest.fixture
def m() -> Guest:
    return Guest(MODE_M)


def illegal(guest: Guest, name: str, value: int | None = None) -> bool:
    """Whether an access traps as an illegal instruction whose bits are the trap value."""
    pc = guest.h.pc
    result = guest.csr(name, value)
    if result is not None:
        return False
    word = guest.ram.load(pc, 4)
    assert guest.trap == ("M", ILLEGAL, word)
    assert guest.h.mepc == pc
    return True


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
        guest.h.fs = 1
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


def test_sstatus_is_a_view_of_mstatus(m: Guest) -> None:
    """12.1.1: M-level fields are neither seen nor changed through sstatus."""
    m.csr("mstatus", ONES)
    assert m.csr("sstatus") == STATUS_SD | STATUS_UXL_64 | 0xC_6122
    m.csr("sstatus", 0)
    assert m.csr("mstatus") == STATUS_UXL_64 | STATUS_SXL_64 | 0x72_1888
    m.csr("sstatus", ONES)
    assert m.csr("mstatus") & 0xFFFF_FFFF == 0x7E_79AA


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


def test_time_is_the_timebase(m: Guest) -> None:
    m.time.now = 123_456
    assert m.csr("time") == 123_456


def test_sie_and_sip_show_delegated_interrupts() -> None:
    """12.1.3: bits not delegated are read-only zero in sie and sip."""
    guest = Guest()
    guest.csr("mideleg", SSI | STI)
    guest.csr("mie", 0xAAA)
    assert guest.csr("sie") == SSI | STI
    guest.csr("sie", SEI)
    assert guest.csr("mie") == 0xAAA & ~(SSI | STI)
    guest.csr("mip", SSI | STI | SEI)
    assert guest.csr("sip") == SSI | STI
    guest.csr("sip", 0)
    assert guest.csr("mip") == STI | SEI
    guest.csr("mideleg", 0)
    guest.csr("sip", SSI)
    assert guest.csr("mip") == STI | SEI


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


def test_stimecmp_is_opened_by_machine_mode() -> None:
    """Sstc: S-mode needs menvcfg.STCE and mcounteren.TM; M-mode needs neither."""
    assert not illegal(Guest(MODE_M), "stimecmp")
    for stce, tm in ((0, 2), (ENVCFG_STCE, 0), (ENVCFG_STCE, 2)):
        guest = Guest(MODE_S)
        guest.set("menvcfg", stce)
        guest.set("mcounteren", tm)
        assert illegal(guest, "stimecmp", 0) == (not (stce and tm))


def test_stip_follows_stimecmp(m: Guest) -> None:
    """Sstc: with STCE, mip.STIP is time >= stimecmp and not writable; without, software's own."""
    m.csr("mip", STI)
    assert m.csr("mip") == STI
    m.time.now = 50
    m.csr("stimecmp", 100)
    m.csr("menvcfg", ENVCFG_STCE)
    assert m.csr("mip") == 0
    m.csr("mip", STI)
    assert m.csr("mip") == 0
    m.time.now = 100
    assert m.csr("mip") == STI
    m.csr("stimecmp", 101)
    assert m.csr("mip") == 0
    m.csr("stimecmp", 0)
    m.csr("menvcfg", 0)
    assert m.csr("mip") == 0


def test_satp_modes(m: Guest) -> None:
    """12.1.11: a write with an unsupported MODE has no effect; ASIDLEN is 16."""
    for mode in (8, 9, 10, 0):
        m.csr("satp", mode << 60 | 0xFFFF << 44 | 0x123)
        assert m.csr("satp") == mode << 60 | 0xFFFF << 44 | 0x123
    for mode in (1, 7, 11, 15):
        m.csr("satp", mode << 60 | 1)
        assert m.csr("satp") == 0xFFFF << 44 | 0x123


def test_tvm_keeps_supervisor_from_satp() -> None:
    """3.1.6.5: TVM makes satp illegal in S-mode; M-mode is not concerned."""
    for mode in (MODE_S, MODE_M):
        guest = Guest(mode)
        guest.set("mstatus", STATUS_TVM)
        assert illegal(guest, "satp") == (mode == MODE_S)


def test_satp_flushes_only_when_the_mode_changes(m: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(m.h.port, "flush_tlb", lambda: calls.append("flush"))
    monkeypatch.setattr(m.h.port, "switch_asid", lambda asid: calls.append(f"asid {asid}"))
    m.set("satp", 8 << 60 | 5 << 44 | 1)
    m.set("satp", 8 << 60 | 5 << 44 | 2)
    m.set("satp", 8 << 60 | 6 << 44 | 2)
    m.set("satp", 0)
    assert calls == ["asid 5", "flush", "asid 6", "asid 0", "flush"]


def test_context_follows_status(m: Guest) -> None:
    """The effective mode of data accesses: MPRV with MPP, SUM in S-mode only, MXR in S and U."""
    assert m.h.context == 3
    m.csr("mstatus", 1 << 17 | 1 << 11 | 1 << 18 | 1 << 19)
    assert m.h.context == 0b1101
    m.csr("mstatus", 1 << 17 | 0 << 11 | 1 << 18 | 1 << 19)
    assert m.h.context == 0b1000
    m.csr("mstatus", 1 << 17 | 3 << 11 | 1 << 18)
    assert m.h.context == 3
    s = Guest(MODE_S)
    s.csr("sstatus", STATUS_SUM)
    assert s.h.context == 0b101


def test_a_number_is_declared_once() -> None:
    class Module:
        __name__ = "module"
        twice = (Csr(1, "a"), Csr(1, "b"))

    with pytest.raises(HospesError, match="both a and b"):
        csr_table.collect(Module)


def test_pc_advances(m: Guest) -> None:
    m.csr("mscratch")
    assert m.h.pc == CODE + 4
