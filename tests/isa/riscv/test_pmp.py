"""Physical memory protection (Privileged ISA, 3.7), with a grain of 4 KiB."""

import random

import pytest
from tests.isa.riscv.guest import RAM_BASE, Guest

from hospes.isa.riscv.encoding import EXECUTE, MODE_M, MODE_S, MODE_U, READ, STATUS_MPRV, WRITE
from hospes.isa.riscv.mmu import translate
from hospes.isa.riscv.pmp import pmp_permissions

ONES = (1 << 64) - 1
R, W, X, TOR, NA4, NAPOT, L = 1, 2, 4, 0x08, 0x10, 0x18, 0x80
ALL = (1 << 54) - 1


@pytest.fixture
def m() -> Guest:
    return Guest(MODE_M, open_pmp=False)


def test_sixteen_entries(m: Guest) -> None:
    """3.7.1: pmpcfg0 and pmpcfg2 on RV64; an odd one does not exist."""
    for entry in range(16):
        assert m.csr(f"pmpaddr{entry}", ONES) is not None
        m.set(f"pmpaddr{entry}", 0)
    assert m.csr("pmpcfg0", 0) is not None
    assert m.csr("pmpcfg2", 0) is not None
    m.execute("csrrs", rd=1, csr=0x3A1, rs1=0)
    assert m.trap is not None


def test_grain_shows_in_addresses(m: Guest) -> None:
    """3.7.1.1: G = 10: NAPOT reads ones in bits 8:0, OFF and TOR zeros in bits 9:0."""
    m.csr("pmpaddr0", ONES)
    assert m.csr("pmpaddr0") == ALL & ~0x3FF
    m.csr("pmpaddr0", 0x1234_5678)
    assert m.csr("pmpaddr0") == 0x1234_5400
    m.csr("pmpcfg0", NAPOT)
    assert m.csr("pmpaddr0") == 0x1234_57FF
    m.csr("pmpcfg0", TOR)
    assert m.csr("pmpaddr0") == 0x1234_5400
    m.csr("pmpaddr0", 0x1234_5678)
    m.csr("pmpcfg0", NAPOT)
    assert m.csr("pmpaddr0") == 0x1234_57FF


def test_configuration_takes_what_exists(m: Guest) -> None:
    """3.7.1: NA4 cannot be chosen with this grain, R = 0 with W = 1 is reserved, bits 6:5 are 0."""
    for written, read in (
        (0x00, 0x00),
        (NA4 | R, NAPOT | R),
        (W, 0),
        (W | X | TOR, X | TOR),
        (0x7F, NAPOT | R | W | X),
        (TOR | R, TOR | R),
    ):
        m.csr("pmpcfg0", written << 24)
        assert m.csr("pmpcfg0") == read << 24
        m.csr("pmpcfg2", written)
        assert m.csr("pmpcfg2") == read
        assert m.h.pmpcfg[8] == read


def test_nothing_matched() -> None:
    """3.7.1.3: without a match M-mode may do all, S and U nothing."""
    guest = Guest(MODE_M, open_pmp=False)
    assert pmp_permissions(guest.h, RAM_BASE, MODE_M) == 7
    for mode in (MODE_S, MODE_U):
        assert pmp_permissions(guest.h, RAM_BASE, mode) == 0
        guest.mode(mode)
        assert translate(guest.h, RAM_BASE, READ) == 5
        assert translate(guest.h, RAM_BASE, WRITE) == 7
        assert translate(guest.h, RAM_BASE, EXECUTE) == 1


def allowed(guest: Guest, gpa: int, mode: int = MODE_S) -> int:
    return pmp_permissions(guest.h, gpa, mode)


@pytest.mark.parametrize("shift", [12, 13, 20, 31, 55, 56])
def test_napot(m: Guest, shift: int) -> None:
    size = 1 << shift
    base = 5 * size if shift < 50 else 0
    m.csr("pmpaddr0", base >> 2 | (size >> 3) - 1)
    m.csr("pmpcfg0", NAPOT | R | X)
    assert allowed(m, base) == allowed(m, base + size - 1) == R | X
    if shift < 56:
        assert allowed(m, base + size) == 0
    if base:
        assert allowed(m, base - 1) == 0


def test_top_of_range(m: Guest) -> None:
    """3.7.1.1: from the address before (0 for the first) up to, not including, its own."""
    m.csr("pmpaddr0", 0x4000 >> 2)
    m.csr("pmpaddr1", 0x8000 >> 2)
    m.csr("pmpaddr2", 0x6000 >> 2)
    m.csr("pmpcfg0", TOR | R | (TOR | R | W) << 8 | (TOR | X) << 16)
    assert [allowed(m, gpa) for gpa in (0, 0x3FFF, 0x4000, 0x7FFF, 0x8000)] == [1, 1, 3, 3, 0]


def test_lowest_number_wins(m: Guest) -> None:
    m.csr("pmpaddr0", RAM_BASE >> 2 | 0x1FF)
    m.csr("pmpaddr1", ALL)
    m.csr("pmpcfg0", NAPOT | (NAPOT | R | W | X) << 8)
    assert allowed(m, RAM_BASE - 1) == 7
    assert allowed(m, RAM_BASE) == 0
    assert allowed(m, RAM_BASE + 0xFFF) == 0
    assert allowed(m, RAM_BASE + 0x1000) == 7


def test_locked_entries_bind_machine_mode(m: Guest) -> None:
    """3.7.1.2: L makes an entry apply to M-mode and keeps it until reset."""
    m.csr("pmpaddr1", RAM_BASE + 0x8000 >> 2 | 0x1FF)
    m.csr("pmpcfg0", (NAPOT | R) << 8)
    assert allowed(m, RAM_BASE + 0x8000, MODE_M) == 7
    m.csr("pmpcfg0", (L | NAPOT | R) << 8)
    assert allowed(m, RAM_BASE + 0x8000, MODE_M) == R
    m.h.x[5] = RAM_BASE + 0x8010
    m.execute("sd", rs1=5, rs2=6, imm=0)
    assert m.trap == ("M", 7, RAM_BASE + 0x8010)
    m.csr("pmpcfg0", ONES & ~(L << 56 | L))
    m.csr("pmpaddr1", 0)
    assert m.csr("pmpcfg0") >> 8 & 0xFF == L | NAPOT | R
    assert m.csr("pmpaddr1") == RAM_BASE + 0x8000 >> 2 | 0x1FF


def test_locked_range_keeps_its_bottom(m: Guest) -> None:
    """3.7.1.2: a locked TOR entry also ignores writes to the address before it."""
    m.csr("pmpaddr2", 0x1000)
    m.csr("pmpaddr3", 0x2000)
    m.csr("pmpcfg0", (L | TOR | R) << 24)
    m.csr("pmpaddr2", 0)
    assert m.csr("pmpaddr2") == 0x1000
    m.csr("pmpaddr1", 0x400)
    assert m.csr("pmpaddr1") == 0x400


def test_mprv_is_checked_as_the_mode_it_takes(m: Guest) -> None:
    m.csr("pmpaddr0", ALL)
    m.csr("pmpcfg0", NAPOT | R)
    m.set("mstatus", STATUS_MPRV | MODE_S << 11)
    assert translate(m.h, RAM_BASE, READ) == 0
    assert translate(m.h, RAM_BASE, WRITE) == 7
    assert translate(m.h, RAM_BASE, EXECUTE) == 0


def test_changes_take_effect_at_once(m: Guest) -> None:
    """3.7.2 asks for sfence.vma with paging; a bare address is protected at once."""
    m.set("pmpaddr0", ALL)
    m.set("pmpcfg0", NAPOT | 7)
    m.h.x[5] = RAM_BASE + 0x8000
    m.set("mstatus", STATUS_MPRV | MODE_S << 11)
    m.execute("ld", rd=6, rs1=5, imm=0)
    assert m.trap is None
    m.csr("pmpcfg0", 0)
    m.execute("ld", rd=6, rs1=5, imm=0)
    assert m.trap == ("M", 5, RAM_BASE + 0x8000)


def test_against_a_plain_search() -> None:
    """The range kept around the last address never changes an answer."""
    random.seed(7)
    for _ in range(40):
        guest = Guest(MODE_M, open_pmp=False)
        for entry in range(16):
            guest.set(f"pmpaddr{entry}", random.choice([random.getrandbits(14), 0x1FF, 0x7FF]) << 4)
        config = [random.choice([0, TOR, NAPOT]) | random.choice([1, 3, 4, 7]) for _ in range(16)]
        for name, part in (("pmpcfg0", config[:8]), ("pmpcfg2", config[8:])):
            guest.set(name, int.from_bytes(part, "little"))
        for _ in range(60):
            gpa = random.getrandbits(8) << 12
            assert allowed(guest, gpa) == search(guest, gpa, config)


def search(guest: Guest, gpa: int, config: list[int]) -> int:
    """Permissions by the text of 3.7.1, entry by entry."""
    for entry, byte in enumerate(config):
        address = guest.h.pmpaddr[entry]
        if byte & NAPOT == NAPOT:
            mask = address | 0x1FF
            mask ^= mask + 1
            matches = (gpa >> 2) & ~mask == address & ~mask
        elif byte & NAPOT == TOR:
            bottom = guest.h.pmpaddr[entry - 1] & ~0x3FF if entry else 0
            matches = bottom <= gpa >> 2 < address & ~0x3FF
        else:
            matches = False
        if matches:
            return byte & 7
    return 0
