"""Address translation by Sv39, Sv48 and Sv57 (Privileged ISA, 12.3 to 12.6; Svade, Svadu)."""

import pytest
from tests.isa.riscv.guest import RAM_BASE, TABLES, Guest, encode
from tests.isa.riscv.paged import FRAME, FULL, GVA, SCHEMES, Paged

from hospes.isa.riscv.encoding import (
    EXECUTE,
    MODE_M,
    MODE_S,
    MODE_U,
    PTE_A,
    PTE_D,
    PTE_R,
    PTE_U,
    PTE_V,
    PTE_W,
    PTE_X,
    READ,
    STATUS_MPRV,
    STATUS_MXR,
    STATUS_SUM,
    WRITE,
)
from hospes.isa.riscv.mmu import translate

PAGE_FAULT = {READ: 13, WRITE: 15, EXECUTE: 12}
ACCESS_FAULT = {READ: 5, WRITE: 7, EXECUTE: 1}
ACCESSES = (READ, WRITE, EXECUTE)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("access", ACCESSES)
def test_four_kilobyte_page(scheme: str, access: int) -> None:
    guest = Paged(scheme)
    guest.map(GVA, FRAME, FULL)
    assert guest.result(GVA + 0xABC, access) == FRAME + 0xABC
    assert guest.h.walk_permissions == READ | WRITE | EXECUTE
    assert guest.h.walk_shift == guest.h.walk_leaf_shift == 12
    assert guest.result(GVA + 0x1000, access) == -PAGE_FAULT[access]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_superpages(scheme: str) -> None:
    """12.4.1: any level may be a leaf; its physical address must be aligned to its size."""
    for level in range(1, SCHEMES[scheme][1]):
        guest = Paged(scheme)
        shift = 12 + 9 * level
        gpa = 3 << shift
        gva = 1 << shift
        guest.map(gva, gpa, FULL, level)
        offset = (1 << shift) - 0x123
        assert guest.result(gva + offset, READ) == gpa + offset
        assert guest.h.walk_shift == guest.h.walk_leaf_shift == shift
        guest.map(gva, gpa + 0x1000, FULL, level)
        assert guest.result(gva, READ) == -13
        guest.map(gva, gpa + (1 << shift - 1), FULL, level)
        assert guest.result(gva, READ) == -13


@pytest.mark.parametrize(("scheme", "bits"), [("sv39", 39), ("sv48", 48), ("sv57", 57)])
def test_canonical_addresses(scheme: str, bits: int) -> None:
    """12.4.1: the bits above the virtual address must equal its highest bit."""
    guest = Paged(scheme)
    top = (1 << 64) - (1 << bits - 1)
    low_top = (1 << bits - 1) - 0x1000
    guest.map(top, FRAME, FULL)
    guest.map(low_top, FRAME + 0x1000, FULL)
    assert guest.result(top, READ) == FRAME
    assert guest.result(low_top, READ) == FRAME + 0x1000
    for access in ACCESSES:
        assert guest.result(1 << bits - 1, access) == -PAGE_FAULT[access]
        assert guest.result(top - 0x1000, access) == -PAGE_FAULT[access]
        assert guest.result(1 << 63, access) == -PAGE_FAULT[access]
        assert guest.result(low_top | 1 << 60, access) == -PAGE_FAULT[access]


@pytest.mark.parametrize("access", ACCESSES)
@pytest.mark.parametrize(
    "flags",
    [
        FULL & ~PTE_V,
        PTE_V | PTE_W | PTE_A | PTE_D,
        PTE_V | PTE_W | PTE_X | PTE_A | PTE_D,
        PTE_V,
        FULL | 1 << 54,
        FULL | 1 << 60,
        FULL | 1 << 61,
        FULL | 1 << 62,
        FULL | 1 << 63,
    ],
)
def test_malformed_leaf(flags: int, access: int) -> None:
    """Step 3: V = 0, R = 0 with W = 1, reserved bits (no Svpbmt, no Svnapot), a pointer at last."""
    guest = Paged()
    guest.map(GVA, FRAME, flags)
    assert guest.result(GVA, access) == -PAGE_FAULT[access]


@pytest.mark.parametrize("bit", [PTE_U, PTE_A, PTE_D, 1 << 54, 1 << 61, 1 << 63])
def test_malformed_pointer(bit: int) -> None:
    """12.3.1: U, A and D of a non-leaf entry are reserved and must be zero."""
    guest = Paged()
    slot = guest.map(GVA, FRAME, FULL, 1)
    guest.ram.store(slot, 8, 0)
    guest.map(GVA, FRAME, FULL)
    assert guest.result(GVA, READ) == FRAME
    guest.ram.store(slot, 8, guest.ram.load(slot, 8) | bit)
    assert guest.result(GVA, READ) == -13


def test_software_bits_and_global_are_free() -> None:
    guest = Paged()
    guest.map(GVA, FRAME, FULL | 1 << 5 | 3 << 8)
    assert guest.result(GVA, WRITE) == FRAME


@pytest.mark.parametrize("flags", [PTE_R, PTE_R | PTE_W, PTE_X, PTE_R | PTE_X, 7 << 1])
@pytest.mark.parametrize("mxr", [0, STATUS_MXR])
def test_read_write_execute(flags: int, mxr: int) -> None:
    """Step 5, and 3.1.6.3: MXR makes executable pages readable."""
    guest = Paged()
    guest.set("mstatus", mxr)
    guest.map(GVA, FRAME, PTE_V | PTE_A | PTE_D | flags)
    allowed = flags >> 1 | (READ if mxr and flags & PTE_X else 0)
    for access in ACCESSES:
        expected = FRAME if allowed & access else -PAGE_FAULT[access]
        assert guest.result(GVA, access) == expected
        if allowed & access:
            assert guest.h.walk_permissions == allowed


@pytest.mark.parametrize("user", [0, PTE_U])
@pytest.mark.parametrize("sum_bit", [0, STATUS_SUM])
@pytest.mark.parametrize("mode", [MODE_U, MODE_S])
def test_user_pages(mode: int, sum_bit: int, user: int) -> None:
    """12.3.1: U-mode only reaches user pages; S-mode never fetches from one, and loads by SUM."""
    guest = Paged(mode=mode)
    guest.set("mstatus", sum_bit)
    guest.map(GVA, FRAME, FULL | user)
    fetch = bool(user) == (mode == MODE_U)
    data = fetch or bool(mode == MODE_S and user and sum_bit)
    for access in ACCESSES:
        allowed = fetch if access == EXECUTE else data
        assert guest.result(GVA, access) == (FRAME if allowed else -PAGE_FAULT[access])
        if allowed:
            permissions = (READ | WRITE if data else 0) | (EXECUTE if fetch else 0)
            assert guest.h.walk_permissions == permissions


@pytest.mark.parametrize("mpp", [MODE_U, MODE_S, MODE_M])
def test_mprv(mpp: int) -> None:
    """3.1.6.3: MPRV gives loads and stores in M-mode the rights of MPP; fetches are unaffected."""
    guest = Paged(mode=MODE_M)
    guest.map(GVA, FRAME, FULL | PTE_U)
    guest.set("mstatus", STATUS_MPRV | mpp << 11)
    assert guest.result(RAM_BASE, EXECUTE) == RAM_BASE
    assert guest.result(GVA, EXECUTE) == GVA
    if mpp == MODE_M:
        assert guest.result(RAM_BASE, READ) == RAM_BASE
        return
    allowed = mpp == MODE_U
    assert guest.result(GVA, READ) == (FRAME if allowed else -13)
    if allowed:
        assert guest.h.walk_permissions == READ | WRITE
    guest.set("mstatus", STATUS_MPRV | mpp << 11 | STATUS_SUM)
    assert guest.result(GVA, WRITE) == FRAME


@pytest.mark.parametrize("access", ACCESSES)
def test_hardware_sets_accessed_and_dirty(access: int) -> None:
    """Step 9 with Svadu: A at any access, D at a store, in memory."""
    guest = Paged()
    bare = FULL & ~(PTE_A | PTE_D)
    slot = guest.map(GVA, FRAME, bare)
    assert guest.result(GVA, access) == FRAME
    expected = bare | PTE_A | (PTE_D if access == WRITE else 0)
    assert guest.ram.load(slot, 8) & 0x3FF == expected
    writable = WRITE if access == WRITE else 0
    assert guest.h.walk_permissions == READ | EXECUTE | writable


@pytest.mark.parametrize("access", ACCESSES)
def test_a_fault_leaves_accessed_alone(access: int) -> None:
    guest = Paged()
    slot = guest.map(GVA, FRAME, (FULL | PTE_U) & ~(PTE_A | PTE_D))
    assert guest.result(GVA, access) == -PAGE_FAULT[access]
    assert not guest.ram.load(slot, 8) & (PTE_A | PTE_D)


def test_svade_faults_instead() -> None:
    """Svade: with menvcfg.ADUE = 0, A = 0 faults at any access and D = 0 at a store."""
    guest = Paged()
    guest.set("menvcfg", 0)
    slot = guest.map(GVA, FRAME, FULL & ~PTE_A)
    for access in ACCESSES:
        assert guest.result(GVA, access) == -PAGE_FAULT[access]
    guest.map(GVA, FRAME, FULL & ~PTE_D)
    assert guest.result(GVA, WRITE) == -15
    assert guest.result(GVA, READ) == FRAME
    assert guest.h.walk_permissions == READ | EXECUTE
    assert not guest.ram.load(slot, 8) & PTE_D


def test_a_lost_race_walks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Step 9: the comparison and the update of the entry are atomic."""
    guest = Paged()
    slot = guest.map(GVA, FRAME, FULL & ~PTE_A)
    port = guest.h.port
    honest = port.ram_compare_exchange

    def race(gpa: int, expected: int, value: int) -> bool:
        monkeypatch.setattr(port, "ram_compare_exchange", honest)
        guest.ram.store(slot, 8, (FRAME + 0x1000) >> 12 << 10 | FULL & ~PTE_A)
        return honest(gpa, expected, value)

    monkeypatch.setattr(port, "ram_compare_exchange", race)
    assert guest.result(GVA, READ) == FRAME + 0x1000


@pytest.mark.parametrize("access", ACCESSES)
def test_tables_outside_ram(access: int) -> None:
    """Step 2: an entry that physical memory does not give is an access fault of the access."""
    guest = Paged()
    guest.set("satp", 8 << 60 | 0x1234)
    assert guest.result(GVA, access) == -ACCESS_FAULT[access]


@pytest.mark.parametrize("access", ACCESSES)
def test_tables_protected_by_pmp(access: int) -> None:
    guest = Paged()
    guest.map(GVA, FRAME, FULL & ~PTE_A)
    guest.set("pmpaddr1", (1 << 54) - 1)
    guest.set("pmpaddr0", TABLES >> 2 | 0x7FF)
    guest.set("pmpcfg0", 0x1F << 8 | 0x18)
    assert guest.result(GVA, access) == -ACCESS_FAULT[access]
    guest.set("pmpcfg0", 0x1F << 8 | 0x19)
    guest.set("pmpaddr0", TABLES >> 2 | 0x3FFF)
    assert guest.result(GVA, access) == -ACCESS_FAULT[access]


@pytest.mark.parametrize("access", ACCESSES)
def test_bare_addresses_have_56_bits(access: int) -> None:
    guest = Guest(MODE_S)
    assert translate(guest.h, (1 << 56) - 8, access) == 0
    assert guest.h.walk_gpa == (1 << 56) - 8
    assert translate(guest.h, 1 << 56, access) == ACCESS_FAULT[access]


def test_pmp_narrows_a_superpage() -> None:
    guest = Paged()
    guest.map(0, 0x8000_0000, FULL, 1)
    assert guest.result(0x2000, READ) == 0x8000_2000
    assert guest.h.walk_shift == 21
    guest.set("pmpaddr1", (1 << 54) - 1)
    guest.set("pmpaddr0", (RAM_BASE + 0x5000) >> 2 | 0x1FF)
    guest.set("pmpcfg0", 0x1F << 8 | 0x19)
    assert guest.result(0x2000, WRITE) == 0x8000_2000
    assert (guest.h.walk_shift, guest.h.walk_leaf_shift) == (12, 21)
    assert guest.result(0x5000, WRITE) == -7
    assert guest.result(0x5000, READ) == 0x8000_5000
    assert guest.h.walk_permissions == READ


class TestThroughInstructions:
    """Faults as programs meet them: causes and trap values."""

    def paged(self) -> Paged:
        guest = Paged()
        guest.map(RAM_BASE, RAM_BASE, FULL)
        return guest

    @pytest.mark.parametrize(
        ("name", "cause"), [("ld", 13), ("sd", 15), ("lr.d", 13), ("amoadd.d", 15)]
    )
    def test_tval_is_the_address(self, name: str, cause: int) -> None:
        guest = self.paged()
        guest.h.x[5] = GVA + 0x18
        guest.execute(name, rs1=5)
        assert guest.trap == ("M", cause, GVA + 0x18)

    def test_load_across_pages_names_the_page_at_fault(self) -> None:
        guest = self.paged()
        guest.map(GVA, FRAME, FULL)
        guest.h.x[5] = GVA + 0xFFD
        guest.execute("ld", rd=6, rs1=5, imm=0)
        assert guest.trap == ("M", 13, GVA + 0x1000)

    def test_store_across_pages_is_all_or_nothing(self) -> None:
        guest = self.paged()
        guest.map(GVA, FRAME, FULL)
        guest.h.x[5], guest.h.x[6] = GVA + 0xFFD, (1 << 64) - 1
        guest.execute("sd", rs1=5, rs2=6, imm=0)
        assert guest.trap == ("M", 15, GVA + 0x1000)
        assert guest.ram.load(FRAME + 0xFF8, 8) == 0

    def test_access_across_pages(self) -> None:
        guest = self.paged()
        guest.map(GVA, FRAME, FULL)
        guest.map(GVA + 0x1000, FRAME + 0x5000, FULL)
        guest.h.x[5], guest.h.x[6] = GVA + 0xFFD, 0x1122_3344_5566_7788
        guest.execute("sd", rs1=5, rs2=6, imm=0)
        guest.execute("ld", rd=7, rs1=5, imm=0)
        assert guest.h.x[7] == 0x1122_3344_5566_7788
        assert guest.ram.load(FRAME + 0xFFD, 3 - 1) == 0x7788
        assert guest.ram.load(FRAME + 0x5000, 4) == 0x2233_4455

    def test_fetch_fault_of_the_second_half(self) -> None:
        """3.1.16: the trap value is the part of the instruction that faulted, mepc its start."""
        guest = self.paged()
        guest.map(GVA, FRAME, FULL)
        guest.ram.store(FRAME + 0xFFE, 2, 0x0003)
        guest.h.pc = GVA + 0xFFE
        guest.engine.step(guest.h)
        assert guest.trap == ("M", 12, GVA + 0x1000)
        assert guest.h.mepc == GVA + 0xFFE

    def test_fetch_across_pages(self) -> None:
        guest = self.paged()
        guest.map(GVA, FRAME, FULL)
        guest.map(GVA + 0x1000, FRAME + 0x5000, FULL)
        word = encode("addi", rd=5, rs1=0, imm=0x7F)
        guest.ram.store(FRAME + 0xFFE, 2, word)
        guest.ram.store(FRAME + 0x5000, 2, word >> 16)
        guest.h.pc = GVA + 0xFFE
        assert guest.engine.step(guest.h) is None
        assert (guest.h.x[5], guest.h.pc) == (0x7F, GVA + 0x1002)

    @pytest.mark.parametrize(("name", "cause"), [("ld", 5), ("sd", 7), ("amoadd.d", 7)])
    def test_nothing_behind_an_address(self, name: str, cause: int) -> None:
        guest = self.paged()
        guest.map(GVA, 0x4000_0000, FULL)
        guest.engine.bus = guest.h.port.bus = NoDevices()
        guest.h.x[5] = GVA
        guest.execute(name, rs1=5)
        assert guest.trap == ("M", cause, GVA)

    def test_fetch_from_nothing(self) -> None:
        guest = Guest(MODE_S)
        guest.h.pc = 0x4000_0000
        guest.engine.step(guest.h)
        assert guest.trap == ("M", 1, 0x4000_0000)


class NoDevices:
    """A bus on which nothing answers."""

    def read(self, gpa: int, size: int) -> int | None:
        return None

    def write(self, gpa: int, size: int, value: int) -> bool:
        return False
