"""Traps and interrupts: delegation, the status stack, priorities, returns (Privileged ISA, 3.1)."""

import itertools

import pytest
from tests.isa.riscv.guest import CODE, M_HANDLER, S_HANDLER, Guest, encode

from hospes.engine.engine import Exit
from hospes.isa.riscv.encoding import (
    ENVCFG_STCE,
    INTERRUPT,
    MEI,
    MODE_M,
    MODE_S,
    MODE_U,
    MSI,
    MTI,
    SEI,
    SSI,
    STATUS_MIE,
    STATUS_MPIE,
    STATUS_MPP,
    STATUS_MPRV,
    STATUS_SIE,
    STATUS_SPIE,
    STATUS_SPP,
    STATUS_TSR,
    STI,
)
from hospes.isa.riscv.trap import pending_interrupt, take_trap

MODES = (MODE_U, MODE_S, MODE_M)
STACK = STATUS_MIE | STATUS_MPIE | STATUS_MPP | STATUS_SIE | STATUS_SPIE | STATUS_SPP
NOP = encode("addi", rd=0, rs1=0, imm=0)


@pytest.mark.parametrize("mode", MODES)
def test_ecall_cause_tells_the_mode(mode: int) -> None:
    """Table of mcause: 8 from U, 9 from S, 11 from M; tval is zero; mepc is the ecall itself."""
    guest = Guest(mode)
    guest.h.mtval = 99
    guest.execute("ecall")
    assert guest.trap == ("M", 8 + mode, 0)
    assert guest.h.mepc == CODE
    assert guest.h.mstatus & STATUS_MPP == mode << 11


@pytest.mark.parametrize("name", ["ebreak", "c.ebreak"])
def test_ebreak_reports_its_address(name: str) -> None:
    guest = Guest(MODE_U)
    guest.execute(name)
    assert guest.trap == ("M", 3, CODE)


@pytest.mark.parametrize(("word", "bits"), [(0xFFFF_FFFF, 0xFFFF_FFFF), (0xABCD_0000, 0)])
def test_illegal_instruction_reports_its_bits(word: int, bits: int) -> None:
    """3.1.16: a 16-bit instruction's bits are zero-extended; all-zero is an illegal one."""
    guest = Guest(MODE_S)
    guest.ram.store(CODE, 4, word)
    guest.engine.step(guest.h)
    assert guest.trap == ("M", 2, bits)


@pytest.mark.parametrize("cause", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 15])
def test_exceptions_are_delegated_below_machine_mode(cause: int) -> None:
    """3.1.8: a delegated trap goes to S-mode, but never down from M-mode."""
    for mode, delegated in itertools.product(MODES, (0, 1)):
        guest = Guest(mode)
        guest.set("medeleg", delegated << cause)
        take_trap(guest.h, cause, 42)
        guest.h.pc = guest.h.next_pc
        to_supervisor = delegated and mode != MODE_M
        assert guest.trap == ("S" if to_supervisor else "M", cause, 42)
        assert guest.h.mode == (MODE_S if to_supervisor else MODE_M)
        assert (guest.h.sepc if to_supervisor else guest.h.mepc) == CODE


def test_delegated_trap_leaves_machine_registers_alone() -> None:
    """3.1.8: mcause, mepc, mtval, MPP and MPIE are not written."""
    guest = Guest(MODE_U)
    guest.set("medeleg", 1 << 8)
    guest.h.mcause, guest.h.mepc, guest.h.mtval = 1, 2, 3
    before = guest.get("mstatus") & (STATUS_MPP | STATUS_MPIE | STATUS_MIE)
    guest.execute("ecall")
    assert (guest.h.mcause, guest.h.mepc, guest.h.mtval) == (1, 2, 3)
    assert guest.get("mstatus") & (STATUS_MPP | STATUS_MPIE | STATUS_MIE) == before


@pytest.mark.parametrize("enabled", [0, STATUS_SIE | STATUS_MIE])
@pytest.mark.parametrize("mode", [MODE_U, MODE_S])
def test_supervisor_status_stack(mode: int, enabled: int) -> None:
    """3.1.6.1: SPP takes the mode, SPIE takes SIE, SIE is cleared; sret undoes it."""
    guest = Guest(mode)
    guest.set("medeleg", ~0)
    guest.set("mstatus", enabled)
    guest.execute("ecall")
    assert guest.h.mode == MODE_S
    status = guest.get("mstatus")
    assert bool(status & STATUS_SPP) == (mode == MODE_S)
    assert bool(status & STATUS_SPIE) == bool(enabled)
    assert not status & STATUS_SIE
    guest.h.sepc = CODE + 0x100
    guest.execute("sret")
    assert (guest.h.mode, guest.h.pc) == (mode, CODE + 0x100)
    status = guest.get("mstatus")
    assert bool(status & STATUS_SIE) == bool(enabled)
    assert status & (STATUS_SPP | STATUS_SPIE) == STATUS_SPIE


@pytest.mark.parametrize("enabled", [0, STATUS_SIE | STATUS_MIE])
@pytest.mark.parametrize("mode", MODES)
def test_machine_status_stack(mode: int, enabled: int) -> None:
    """3.1.6.1: MPP takes the mode, MPIE takes MIE, MIE is cleared; mret undoes it."""
    guest = Guest(mode)
    guest.set("mstatus", enabled)
    guest.execute("ecall")
    assert guest.h.mode == MODE_M
    status = guest.get("mstatus")
    assert status & STATUS_MPP == mode << 11
    assert bool(status & STATUS_MPIE) == bool(enabled)
    assert not status & STATUS_MIE
    guest.h.mepc = CODE + 0x100
    guest.execute("mret")
    assert (guest.h.mode, guest.h.pc) == (mode, CODE + 0x100)
    status = guest.get("mstatus")
    assert bool(status & STATUS_MIE) == bool(enabled)
    assert status & (STATUS_MPP | STATUS_MPIE) == STATUS_MPIE


@pytest.mark.parametrize("mode", MODES)
def test_mret_clears_mprv_when_it_leaves_machine_mode(mode: int) -> None:
    """3.1.6.3: a return to a mode below M clears MPRV; else it goes on with the new MPP, U."""
    guest = Guest(MODE_M)
    guest.set("mstatus", STATUS_MPRV | mode << 11)
    guest.h.mepc = CODE
    guest.execute("mret")
    assert bool(guest.h.mstatus & STATUS_MPRV) == (mode == MODE_M)
    assert guest.h.context == (MODE_U if mode == MODE_M else mode)


def test_sret_clears_mprv() -> None:
    guest = Guest(MODE_M)
    guest.set("mstatus", STATUS_MPRV | STATUS_SPP)
    guest.execute("sret")
    assert guest.h.mode == MODE_S
    assert not guest.h.mstatus & STATUS_MPRV


@pytest.mark.parametrize(("name", "lowest"), [("mret", MODE_M), ("sret", MODE_S)])
def test_returns_need_privilege(name: str, lowest: int) -> None:
    for mode in MODES:
        guest = Guest(mode)
        guest.h.mepc = guest.h.sepc = CODE + 0x200
        guest.execute(name)
        if mode < lowest:
            assert guest.trap == ("M", 2, encode(name))
        else:
            assert guest.h.pc == CODE + 0x200


def test_tsr_traps_sret_in_supervisor_mode() -> None:
    """3.1.6.5: TSR concerns S-mode only."""
    for mode in (MODE_S, MODE_M):
        guest = Guest(mode)
        guest.set("mstatus", STATUS_TSR)
        guest.execute("sret")
        assert (guest.trap == ("M", 2, encode("sret"))) == (mode == MODE_S)


@pytest.mark.parametrize("base", [0x8000_0100, 0x8000_0101])
def test_vectored_handlers_are_for_interrupts_only(base: int) -> None:
    """3.1.7: MODE 1 sends interrupts to BASE + 4 * cause, exceptions to BASE."""
    guest = Guest(MODE_U)
    guest.set("mtvec", base)
    guest.execute("ecall")
    assert guest.h.pc == 0x8000_0100


@pytest.mark.parametrize("tvec", ["mtvec", "stvec"])
def test_vectored_interrupt_address(tvec: str) -> None:
    guest = Guest(MODE_U)
    guest.set(tvec, 0x8000_0101)
    guest.set("mideleg", SEI if tvec == "stvec" else 0)
    guest.set("mie", SEI)
    guest.h.lines = SEI
    guest.place(0x8000_0100 + 4 * 9, NOP)
    guest.engine.run(guest.h, 1)
    assert guest.h.pc == 0x8000_0100 + 4 * 9 + 4


ORDER = (MEI, MSI, MTI, SEI, SSI, STI)


def test_interrupt_priority() -> None:
    """3.1.9: MEI, MSI, MTI, SEI, SSI, STI, in that order."""
    guest = Guest(MODE_U)
    guest.set("mie", ~0)
    for first, bit in enumerate(ORDER):
        guest.h.lines = sum(ORDER[first:])
        assert pending_interrupt(guest.h) == INTERRUPT | (bit.bit_length() - 1)


def test_machine_interrupts_come_before_delegated_ones() -> None:
    """3.1.9: interrupts to a higher privilege mode are taken first, whatever their number."""
    guest = Guest(MODE_S)
    guest.set("mie", ~0)
    guest.set("mstatus", STATUS_SIE)
    guest.set("mideleg", SEI)
    guest.h.lines = SEI | STI
    assert pending_interrupt(guest.h) == INTERRUPT | 5


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("delegated", [False, True])
@pytest.mark.parametrize("status", [0, STATUS_MIE, STATUS_SIE, STATUS_MIE | STATUS_SIE])
def test_global_enables(mode: int, delegated: bool, status: int) -> None:
    """3.1.6.1: interrupts for mode x are on below x, off above x, and by xIE in x."""
    guest = Guest(mode)
    guest.set("mstatus", status)
    guest.set("mideleg", SSI if delegated else 0)
    guest.set("mie", SSI)
    guest.set("mip", SSI)
    target, bit = (MODE_S, STATUS_SIE) if delegated else (MODE_M, STATUS_MIE)
    expected = mode < target or (mode == target and bool(status & bit))
    assert pending_interrupt(guest.h) == (INTERRUPT | 1 if expected else 0)


def test_an_interrupt_not_enabled_is_not_taken() -> None:
    guest = Guest(MODE_U)
    guest.h.lines = MTI
    guest.set("mie", MSI)
    assert pending_interrupt(guest.h) == 0


def test_interrupt_between_instructions() -> None:
    """The return address is the instruction not yet executed; tval is zero."""
    guest = Guest(MODE_S)
    guest.place(CODE, *[NOP] * 8)
    guest.place(S_HANDLER, NOP)
    guest.set("mideleg", STI)
    guest.set("mie", STI)
    guest.set("mstatus", STATUS_SIE)
    guest.h.stval = 5
    assert guest.engine.run(guest.h, 3) == Exit.BUDGET
    guest.set("menvcfg", ENVCFG_STCE)
    guest.time.now = 10
    guest.set("stimecmp", 10)
    guest.engine.run(guest.h, 1)
    assert guest.h.pc == S_HANDLER + 4
    assert (guest.h.sepc, guest.h.scause, guest.h.stval) == (CODE + 12, INTERRUPT | 5, 0)


def test_enabling_interrupts_takes_effect_at_the_next_instruction() -> None:
    """3.1.9: conditions are evaluated right after xRET and writes to the CSRs they depend on."""
    guest = Guest(MODE_S)
    guest.set("mideleg", SSI)
    guest.set("mip", SSI)
    guest.set("mie", SSI)
    guest.place(CODE, encode("csrrsi", rd=0, csr=0x100, uimm=2), NOP)
    guest.place(S_HANDLER, NOP)
    guest.engine.run(guest.h, 2)
    assert guest.h.sepc == CODE + 4
    assert guest.h.scause == INTERRUPT | 1


def test_return_from_a_handler_takes_the_next_interrupt() -> None:
    guest = Guest(MODE_M)
    guest.set("mie", MSI)
    guest.h.lines = MSI
    guest.set("mstatus", STATUS_MPIE)
    guest.h.mepc = CODE + 0x80
    guest.place(CODE, encode("mret"))
    guest.place(M_HANDLER, NOP)
    guest.engine.run(guest.h, 2)
    assert guest.h.mepc == CODE + 0x80
    assert guest.h.mcause == INTERRUPT | 3


class TestHostSbi:
    """With our own SBI in place of M-mode, a trap to M leaves for Python with nothing changed."""

    def test_ecall_leaves(self) -> None:
        guest = Guest(MODE_S)
        guest.h.host_sbi = 1
        before = guest.get("mstatus")
        assert guest.execute("ecall") == Exit.HYPERCALL
        assert (guest.h.exit_cause, guest.h.exit_tval) == (9, 0)
        assert (guest.h.pc, guest.h.mode, guest.get("mstatus")) == (CODE, MODE_S, before)
        assert guest.h.mcause == 0

    def test_an_undelegated_exception_leaves_with_its_value(self) -> None:
        guest = Guest(MODE_S)
        guest.h.host_sbi = 1
        guest.execute("mret")
        assert (guest.h.exit_cause, guest.h.exit_tval) == (2, encode("mret"))

    def test_delegated_traps_stay_inside(self) -> None:
        guest = Guest(MODE_U)
        guest.h.host_sbi = 1
        guest.set("medeleg", 1 << 8)
        assert guest.execute("ecall") is None
        assert guest.trap == ("S", 8, 0)

    def test_run_reports_it(self) -> None:
        guest = Guest(MODE_S)
        guest.h.host_sbi = 1
        guest.place(CODE, NOP, encode("ecall"))
        assert guest.engine.run(guest.h, 100) == Exit.HYPERCALL
        assert guest.h.pc == CODE + 4
        assert guest.h.instret == 1
