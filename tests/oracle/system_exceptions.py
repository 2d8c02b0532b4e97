"""Where QEMU 7.2 and Hospes differ in system instructions and CSRs, with the reasons.

Sections are those of the Privileged ISA, version 20240411. Much of it is WARL: "any value may be
written, a legal one is read", and which values are legal is the implementation's choice.
"""

from dataclasses import dataclass
from typing import Final

Trap = tuple[int, int, int]

ALL: Final = (1 << 64) - 1
VS_STATE: Final = 3 << 9
XLEN_FIELDS: Final = 0xF << 32
HYPERVISOR_INTERRUPTS: Final = 1 << 2 | 1 << 6 | 1 << 10 | 1 << 12
COUNTER_OVERFLOW: Final = 1 << 13


@dataclass(frozen=True)
class Legality:
    """CSRs (from first to last) whose access traps on one side only, in modes, by forms."""

    first: int
    last: int
    forms: tuple[str, ...]
    modes: str
    reason: str

    def covers(self, form: str, number: int, mode: str) -> bool:
        """Whether this access is meant."""
        return form in self.forms and self.first <= number <= self.last and mode in self.modes


LEGALITY: Final = (
    Legality(
        0x24D, 0x24D, ("read", "write"), "M",
        "vstimecmp belongs to H, which is off; QEMU 7.2 has it all the same",
    ),
    Legality(
        0xC00, 0xF15, ("write",), "MSU",
        '2.1: "attempts to write a read-only register also raise illegal instruction '
        'exceptions"; QEMU 7.2 takes csrrs with a zero in a register other than x0 for a read',
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Unlike:
    """Bits of CSRs that are not compared."""

    names: tuple[str, ...]
    bits: int
    reason: str


PMP_ADDRESSES: Final = tuple(f"pmpaddr{n}" for n in range(16))

UNLIKE: Final = (
    Unlike(("mstatus", "sstatus"), VS_STATE, "VS is of V, which neither has; QEMU 7.2 keeps it"),
    Unlike(
        ("mstatus", "sstatus"), XLEN_FIELDS,
        "3.1.6.2: UXL and SXL may be fixed; here they are, at 64 bits",
    ),
    Unlike(
        ("mstatus",), 0xF << 36,
        "SBE and MBE may be fixed at 0, GVA and MPV are of H; QEMU 7.2 keeps GVA and MPV",
    ),
    Unlike(
        ("medeleg",), 1 << 11 | 1 << 10 | 0xF << 20,
        "3.1.8: an ecall from M-mode cannot be delegated, so bit 11 is read-only zero; the others "
        "are of H. QEMU 7.2 keeps all",
    ),
    Unlike(
        ("mideleg", "mie", "mip"), HYPERVISOR_INTERRUPTS | COUNTER_OVERFLOW,
        "interrupts of H and Sscofpmf; QEMU 7.2 keeps their bits without the extensions",
    ),
    Unlike(
        ("mip",), 1 << 5 | 1 << 7,
        "the timers: QEMU's mtimecmp and stimecmp are 0 after reset, which leaves them open",
    ),
    Unlike(
        ("mcounteren", "scounteren", "mcountinhibit"), ALL << 3 & ALL,
        "3.1.11, 3.1.12: the bits of hpm counters that are always 0 may be read-only zero",
    ),
    Unlike(("mcountinhibit",), 1 << 1, "3.1.12: bit 1 is read-only zero; QEMU 7.2 keeps it"),
    Unlike(
        ("menvcfg", "senvcfg"), 3 << 4,
        "CMO: CBIE is WARL and 2 is reserved; QEMU 7.2 keeps what is written, without Zicbom",
    ),
    Unlike(
        ("menvcfg",), 1 << 61 | 1 << 62,
        "ADUE is newer than QEMU 7.2, which keeps PBMTE without Svpbmt",
    ),
    Unlike(
        ("mepc", "sepc"), 1,
        '3.1.14: "the low bit of mepc (mepc[0]) is always zero"; QEMU 7.2 keeps it',
    ),
    Unlike(
        PMP_ADDRESSES, 0x3FF | 0x3FF << 54,
        "3.7.1: the grain here is 4 KiB, QEMU's 4 bytes; bits 63 to 54 are read-only zero, which "
        "QEMU 7.2 keeps",
    ),
    Unlike(("misa",), ALL, "which extensions there are, and whether they can be switched off"),
    Unlike(("mcycle", "minstret"), ALL, "what has run between the write and the read"),
)  # fmt: skip

RESERVED_MODE: Final = "3.1.7: reserved modes of mtvec, stvec are not taken; QEMU drops the write"
NOT_SELECTABLE: Final = "3.7.1: NA4 is not selectable with a grain above 4; R=0 W=1 is reserved"
VECTOR_STATE: Final = "SD tells a dirty VS, which QEMU 7.2 has without V"
RESERVED_PRIVILEGE: Final = f"3.1.6.1: MPP is WARL; QEMU 7.2 keeps the reserved 2. {VECTOR_STATE}"
EXCLUDED_PATTERNS: Final = {
    "mtvec": (lambda value: value & 2 != 0, RESERVED_MODE),
    "stvec": (lambda value: value & 2 != 0, RESERVED_MODE),
    "pmpcfg0": (lambda value: any(_reserved(byte) for byte in _bytes(value)), NOT_SELECTABLE),
    "pmpcfg2": (lambda value: any(_reserved(byte) for byte in _bytes(value)), NOT_SELECTABLE),
    "mstatus": (lambda value: value >> 11 & 3 == 2 or value >> 9 & 3 == 3, RESERVED_PRIVILEGE),
    "sstatus": (lambda value: value >> 9 & 3 == 3, VECTOR_STATE),
}
"""Values whose outcome is each implementation's own, by CSR."""

NOT_WRITTEN: Final = dict.fromkeys(
    ("tselect", "tdata1", "tdata2", "tdata3", "tinfo"),
    "Sdtrig: Hospes has no trigger, QEMU 7.2 has two, and stops at some values",
) | dict.fromkeys(
    ("siselect", "sireg", "stopei"),
    "AIA: harts that begin in M-mode have none; test_aia.py judges these",
)
"""CSRs in which no pattern is written."""


@dataclass(frozen=True)
class Instruction:
    """Instructions whose trap QEMU 7.2 gets wrong: it takes none, or says 0 for its value."""

    names: tuple[str, ...]
    modes: str
    no_trap: bool
    reason: str

    def covers(self, name: str, mode: str, ours: Trap | None, theirs: Trap | None) -> bool:
        """Whether the two traps (cause, value, mode) differ as described."""
        if name not in self.names or mode not in self.modes or ours is None:
            return False
        if theirs is None:
            return self.no_trap
        return not self.no_trap and theirs == (ours[0], 0, ours[2])


INSTRUCTIONS: Final = (
    Instruction(
        ("ebreak", "c.ebreak"), "MSU", False,
        "3.1.16: the value of a breakpoint trap may be the instruction's address, or zero",
    ),
    Instruction(
        ("sinval.vma",), "SU", False,
        "3.1.16: the value of an illegal instruction is its bits; QEMU 7.2 forgets them",
    ),
    Instruction(
        ("sfence.w.inval", "sfence.inval.ir"), "U", True,
        'Svinval: "illegal-instruction exception in U-mode"; QEMU 7.2 executes them',
    ),
)  # fmt: skip


def _bytes(value: int) -> bytes:
    return value.to_bytes(8, "little")


def _reserved(byte: int) -> bool:
    """Whether a pmpcfg byte is locked (which would outlast the case), NA4, or W without R."""
    return byte & 0x80 != 0 or byte & 0x18 == 0x10 or byte & 3 == 2


def uncompared(name: str) -> int:
    """The bits of a CSR that are not compared."""
    bits = 0
    for unlike in UNLIKE:
        if name in unlike.names:
            bits |= unlike.bits
    return bits
