"""Ssaia and the interrupt file behind it, as the AIA specification has them."""

import pytest
from tests.isa.riscv.guest import CODE, S_HANDLER, Guest, encode, illegal

from hospes.isa.riscv.csr import CSR_NUMBERS
from hospes.isa.riscv.encoding import INTERRUPT, MODE_M, MODE_S, MODE_U, SEI, SSI, STATUS_SIE, STI
from hospes.isa.riscv.interrupt_file import IDENTITIES, receive_message

ONES = (1 << 64) - 1
NAMES = ("siselect", "sireg", "stopei", "stopi")
EIDELIVERY, EITHRESHOLD, EIP, EIE = 0x70, 0x72, 0x80, 0xC0


class Supervisor(Guest):
    """A guest in S-mode with AIA, to whom the external interrupt is delegated."""

    def __init__(self) -> None:
        super().__init__(MODE_S)
        self.h.aia = 1
        self.h.mideleg = SSI | STI | SEI

    def indirect(self, select: int, value: int | None = None) -> int | None:
        """Read or write sireg with siselect set; None if that is illegal."""
        self.csr("siselect", select)
        if value is None:
            return self.csr("sireg")
        self.csr("sireg", value)
        return self.csr("sireg")

    def accept(self, *identities: int) -> None:
        """Enable identities, and delivery."""
        for identity in identities:
            select = EIE + 2 * (identity // 64)
            enabled = self.indirect(select)
            assert enabled is not None
            self.indirect(select, enabled | 1 << identity % 64)
        self.indirect(EIDELIVERY, 1)

    @property
    def external(self) -> bool:
        """sip.SEIP."""
        pending = self.csr("sip")
        assert pending is not None
        return bool(pending & SEI)


@pytest.fixture
def s() -> Supervisor:
    return Supervisor()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", [MODE_M, MODE_S, MODE_U])
def test_without_aia_there_are_no_such_csrs(name: str, mode: int) -> None:
    assert illegal(Guest(mode), name)
    assert illegal(Guest(mode), name, 0)


@pytest.mark.parametrize("name", NAMES)
def test_they_are_the_supervisors(name: str, s: Supervisor) -> None:
    s.h.siselect = EIDELIVERY
    assert s.csr(name) is not None
    s.mode(MODE_U)
    assert illegal(s, name)


def test_siselect_has_nine_bits(s: Supervisor) -> None:
    """2.2: recommended."""
    s.csr("siselect", ONES)
    assert s.csr("siselect") == 0x1FF


def test_what_sireg_reaches(s: Supervisor) -> None:
    """2.2, 3.7, 3.8: reserved numbers read zero; odd parts of arrays and other numbers trap."""
    even = set(range(0x30, 0x40, 2)) | set(range(0x80, 0x100, 2))
    reached = even | set(range(0x70, 0x80))
    for select in range(0x200):
        guest = Supervisor()
        guest.h.siselect = select
        assert illegal(guest, "sireg", ONES) == (select not in reached), hex(select)
        guest = Supervisor()
        guest.h.siselect = select
        assert illegal(guest, "sireg") == (select not in reached), hex(select)


def test_what_can_be_written(s: Supervisor) -> None:
    """3.8, 5.4.1: identity 0, those above the last one, and priorities are read-only zero."""
    wanted = {EIDELIVERY: 1, EITHRESHOLD: IDENTITIES}
    for array in (EIP, EIE):
        wanted |= {array: ONES - 1, array + 2: ONES, array + 4: ONES, array + 6: ONES}
    selects = [*range(0x30, 0x40, 2), *range(0x70, 0x80), *range(0x80, 0x100, 2)]
    for select in selects:
        assert s.indirect(select, ONES) == wanted.get(select, 0), hex(select)
    assert s.indirect(EIDELIVERY, 0x4000_0000) == 0


def test_messages_become_pending(s: Supervisor) -> None:
    for identity in (0, 1, 63, 64, 255, 256, 1 << 32, (1 << 32) + 5):
        receive_message(s.h, identity)
    assert [s.indirect(EIP + 2 * word) for word in range(5)] == [1 << 63 | 2, 1, 0, 1 << 63, 0]


def test_claiming_in_order(s: Supervisor) -> None:
    """3.3, 3.9: the lowest pending and enabled identity first; a claim takes its pending bit."""
    s.accept(200, 7, 64)
    for identity in (200, 64, 5, 7):
        receive_message(s.h, identity)
    for identity in (7, 64, 200):
        assert s.external
        assert s.csr("stopei") == identity << 16 | identity
        s.execute("csrrw", rd=12, csr=CSR_NUMBERS["stopei"], rs1=0)
        assert s.h.x[12] == identity << 16 | identity
    assert not s.external
    assert s.csr("stopei") == 0
    s.csr("stopei", ONES)
    assert s.indirect(EIP) == 1 << 5


def test_a_claim_without_a_read_claims_too(s: Supervisor) -> None:
    s.accept(9)
    receive_message(s.h, 9)
    s.execute("csrrwi", rd=0, csr=CSR_NUMBERS["stopei"], uimm=0)
    assert s.indirect(EIP) == 0


def test_threshold(s: Supervisor) -> None:
    """3.8.2: identities of the threshold and above do not count; zero is no threshold."""
    s.accept(10, 20)
    receive_message(s.h, 20)
    for threshold, seen in ((20, False), (21, True), (1, False), (0, True)):
        s.indirect(EITHRESHOLD, threshold)
        assert s.external == seen
        assert s.csr("stopei") == (20 << 16 | 20 if seen else 0)
    s.indirect(EITHRESHOLD, 11)
    receive_message(s.h, 10)
    assert s.external
    assert s.csr("stopei") == 10 << 16 | 10


def test_delivery_holds_back_the_line_but_not_stopei(s: Supervisor) -> None:
    """3.8.1."""
    s.accept(3)
    s.indirect(EIDELIVERY, 0)
    receive_message(s.h, 3)
    assert not s.external
    assert s.csr("stopei") == 3 << 16 | 3
    s.indirect(EIDELIVERY, 1)
    assert s.external


def test_the_line_follows_both_arrays(s: Supervisor) -> None:
    s.accept(3)
    s.indirect(EIP, 1 << 3)
    assert s.external
    s.indirect(EIE, 0)
    assert not s.external
    s.indirect(EIE, 1 << 3)
    s.indirect(EIP, 0)
    assert not s.external


def test_stopi_names_the_first_major_interrupt(s: Supervisor) -> None:
    """5.4.2: SEI before SSI before STI, enabled and delegated ones only, whatever SIE says."""
    s.accept(1)
    receive_message(s.h, 1)
    s.h.mip = SSI | STI
    for enabled, first in ((SEI | SSI | STI, 9), (SSI | STI, 1), (STI, 5), (0, 0)):
        s.csr("sie", enabled)
        assert s.csr("stopi") == (first << 16 | 1 if first else 0)
    s.csr("sie", SEI | SSI | STI)
    s.h.mideleg = STI
    assert s.csr("stopi") == 5 << 16 | 1
    assert illegal(s, "stopi", 0)


def test_a_message_interrupts(s: Supervisor) -> None:
    s.accept(77)
    s.csr("sie", SEI)
    s.csr("sstatus", STATUS_SIE)
    receive_message(s.h, 77)
    s.place(S_HANDLER, encode("csrrw", rd=12, csr=CSR_NUMBERS["stopei"], rs1=0))
    s.engine.run(s.h, 1)
    assert s.h.scause == INTERRUPT | 9
    assert (s.h.pc, s.h.x[12]) == (S_HANDLER + 4, 77 << 16 | 77)
    assert not s.external


def test_enabling_delivers_what_waits(s: Supervisor) -> None:
    """Writing sireg looks for an interrupt at once."""
    s.csr("sie", SEI)
    s.csr("sstatus", STATUS_SIE)
    receive_message(s.h, 64)
    s.indirect(EIDELIVERY, 1)
    s.csr("siselect", EIE + 2)
    s.h.x[11] = 1
    s.h.pc = CODE
    s.place(CODE, encode("csrrw", rd=0, csr=CSR_NUMBERS["sireg"], rs1=11), encode("addi", rd=5))
    s.engine.run(s.h, 2)
    assert s.h.sepc == CODE + 4
