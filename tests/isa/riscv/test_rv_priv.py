"""wfi, fence.i, sfence.vma and Svinval: privilege, and what they tell the engine."""

import pytest
from tests.isa.riscv.guest import CODE, Guest, encode

from hospes.engine.engine import Exit
from hospes.isa.riscv.encoding import (
    ENVCFG_STCE,
    MODE_M,
    MODE_S,
    MODE_U,
    MTI,
    STATUS_TVM,
    STATUS_TW,
    STI,
)


@pytest.mark.parametrize("mode", [MODE_S, MODE_M])
def test_wfi_waits(mode: int) -> None:
    """3.3.3: execution goes on behind the wfi."""
    guest = Guest(mode)
    assert guest.execute("wfi") == Exit.WFI
    assert guest.h.pc == CODE + 4
    assert guest.h.instret == 1


@pytest.mark.parametrize("status", [0, 1 << 3])
def test_wfi_goes_on_for_an_enabled_interrupt(status: int) -> None:
    """3.3.3: it resumes for a pending enabled interrupt, whatever the global enables say."""
    guest = Guest(MODE_M)
    guest.set("mstatus", status)
    guest.h.lines = MTI
    assert guest.execute("wfi") == Exit.WFI
    guest.set("mie", MTI)
    assert guest.execute("wfi") is None
    assert guest.h.pc == CODE + 8


def test_wfi_sees_the_timer() -> None:
    guest = Guest(MODE_S)
    guest.set("menvcfg", ENVCFG_STCE)
    guest.set("mie", STI)
    guest.set("stimecmp", 10)
    assert guest.execute("wfi") == Exit.WFI
    guest.time.now = 10
    assert guest.execute("wfi") is None


def test_wfi_privilege() -> None:
    """3.1.6.5 and 3.3.3: illegal in U-mode, and in S-mode under TW."""
    for mode, tw, illegal in (
        (MODE_U, 0, True),
        (MODE_U, STATUS_TW, True),
        (MODE_S, 0, False),
        (MODE_S, STATUS_TW, True),
        (MODE_M, STATUS_TW, False),
    ):
        guest = Guest(mode)
        guest.set("mstatus", tw)
        guest.execute("wfi")
        assert (guest.trap == ("M", 2, encode("wfi"))) == illegal


FENCES = ("sfence.vma", "sinval.vma", "sfence.w.inval", "sfence.inval.ir")


@pytest.mark.parametrize("name", FENCES)
def test_fence_privilege(name: str) -> None:
    """12.2.1 and Svinval: illegal in U-mode; TVM traps the two that name translations in S-mode."""
    for mode, tvm in ((MODE_U, 0), (MODE_S, 0), (MODE_S, STATUS_TVM), (MODE_M, STATUS_TVM)):
        guest = Guest(mode)
        guest.set("mstatus", tvm)
        guest.execute(name)
        illegal = mode == MODE_U or (mode == MODE_S and tvm != 0 and name.endswith("vma"))
        assert (guest.trap == ("M", 2, encode(name))) == illegal


@pytest.mark.parametrize("name", ["sfence.vma", "sinval.vma"])
def test_what_is_flushed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """12.2.1: rs1 names a page, rs2 an address space, x0 all of them."""
    guest = Guest(MODE_S)
    calls: list[object] = []
    port = guest.h.port
    guest.place(CODE, *[encode(name, rs1=a, rs2=b) for a in (0, 5) for b in (0, 6)])
    guest.h.x[5], guest.h.x[6] = 0x1234_5678, 0xABCD_0003
    monkeypatch.setattr(port, "flush_tlb", lambda: calls.append("all"))
    monkeypatch.setattr(port, "flush_tlb_page", lambda gva: calls.append(("page", gva)))
    monkeypatch.setattr(port, "flush_tlb_asid", lambda asid: calls.append(("asid", asid)))
    guest.engine.run(guest.h, 4)
    page = ("page", 0x1234_5678)
    assert calls[-4:] == ["all", ("asid", 3), page, page]


def test_fence_i(monkeypatch: pytest.MonkeyPatch) -> None:
    guest = Guest(MODE_U)
    calls: list[str] = []
    monkeypatch.setattr(guest.h.port, "flush_code", lambda: calls.append("code"))
    guest.execute("fence.i")
    assert calls == ["code"]


@pytest.mark.parametrize("word", [0x0010_100F, 0x0000_900F, 0x0000_108F])
def test_fence_i_ignores_its_unused_fields(word: int) -> None:
    """Zifencei: imm, rs1 and rd are reserved for finer fences and ignored."""
    guest = Guest(MODE_U)
    guest.ram.store(CODE, 4, word)
    assert guest.engine.step(guest.h) is None
    assert guest.h.pc == CODE + 4
