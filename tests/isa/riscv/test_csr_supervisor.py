"""Supervisor-level CSRs: views, gates, and Sstc (Privileged ISA, chapter 12)."""

import pytest
from tests.isa.riscv.guest import Guest, illegal

from hospes.isa.riscv.encoding import (
    ENVCFG_STCE,
    MODE_M,
    MODE_S,
    SEI,
    SSI,
    STATUS_SD,
    STATUS_SUM,
    STATUS_SXL_64,
    STATUS_TVM,
    STATUS_UXL_64,
    STI,
)

ONES = (1 << 64) - 1


@pytest.fixture
def m() -> Guest:
    return Guest(MODE_M)


def test_sstatus_is_a_view_of_mstatus(m: Guest) -> None:
    """12.1.1: M-level fields are neither seen nor changed through sstatus."""
    m.csr("mstatus", ONES)
    assert m.csr("sstatus") == STATUS_SD | STATUS_UXL_64 | 0xC_6122
    m.csr("sstatus", 0)
    assert m.csr("mstatus") == STATUS_UXL_64 | STATUS_SXL_64 | 0x72_1888
    m.csr("sstatus", ONES)
    assert m.csr("mstatus") & 0xFFFF_FFFF == 0x7E_79AA


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
