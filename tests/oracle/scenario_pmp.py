"""Programs about physical memory protection, in whole pages, which is the grain Hospes has."""

from tests.oracle.scenario_paging import QUICK, SV39, satp
from tests.oracle.transcript import EPILOGUE, say, show

CONTEXTS = {"u": "0", "s": "1 << 11", "m": "3 << 11"}
CONFIGURATIONS = (0, 1, 3, 4, 5, 7)
"""R, W and X without the reserved W alone."""
OPEN_REST = """
    li t0, -1
    csrw pmpaddr7, t0
    li t0, 0x1f << 56
    csrs pmpcfg0, t0
    li t0, 0x1f
    csrc pmpcfg0, t0
"""
"""The entry that opens everything goes behind those under test."""


def napot(base: str, size: str) -> str:
    """The value of pmpaddr for a naturally aligned range."""
    return f"(({base}) >> 2) | ((({size}) >> 3) - 1)"


def _attempts(address: str, contexts: str = "usm") -> str:
    """All accesses to an address from some contexts: their causes."""
    lines = []
    for mode in contexts:
        lines.append(f"li s4, {CONTEXTS[mode]}")
        for access in range(3):
            lines.append(f"li s5, {address}; li a1, {access}; call try")
            lines.append("mv a0, s1; call puthex; mv a0, s2; call puthex")
    lines.append("call newline")
    return "\n".join(lines) + "\n"


def _start() -> str:
    code = "; ".join(f"li t0, PAGES + {n} * 0x1000; sd t1, 0(t0)" for n in range(4))
    return QUICK + "la t0, quick; csrw mtvec, t0; li t1, 0x73\n" + code + "\n" + OPEN_REST


def permissions() -> str:
    """One page with each permission, as NAPOT and as TOR, and the pages beside it."""
    lines = [_start()]
    for rwx in CONFIGURATIONS:
        lines.append(say(f"NAPOT {rwx}"))
        lines.append(f"li t0, {napot('PAGES + 0x1000', '0x1000')}; csrw pmpaddr0, t0")
        lines.append(f"li t0, 0xff; csrc pmpcfg0, t0; li t0, {0x18 | rwx}; csrs pmpcfg0, t0")
        lines += [_attempts(f"PAGES + {n} * 0x1000") for n in range(3)]
    lines.append("li t0, 0xffff; csrc pmpcfg0, t0")
    for rwx in CONFIGURATIONS:
        lines.append(say(f"TOR {rwx}"))
        lines.append("li t0, (PAGES + 0x1000) >> 2; csrw pmpaddr0, t0")
        lines.append("li t0, (PAGES + 0x3000) >> 2; csrw pmpaddr1, t0")
        lines.append(f"li t0, 0xff00; csrc pmpcfg0, t0; li t0, {(0x08 | rwx) << 8}")
        lines.append("csrs pmpcfg0, t0")
        lines += [_attempts(f"PAGES + {n} * 0x1000") for n in range(4)]
    return "\n".join(lines) + EPILOGUE


def priority() -> str:
    """Overlapping entries: the first that matches decides; an empty TOR range matches nothing."""
    lines = [_start()]
    for first, second in ((0, 7), (7, 0), (1, 3), (5, 1)):
        lines.append(say(f"{first} before {second}"))
        lines.append(f"li t0, {napot('PAGES', '0x1000')}; csrw pmpaddr0, t0")
        lines.append(f"li t0, {napot('PAGES', '0x2000')}; csrw pmpaddr1, t0")
        lines.append("li t0, 0xffff; csrc pmpcfg0, t0")
        lines.append(f"li t0, {0x18 | first | (0x18 | second) << 8}; csrs pmpcfg0, t0")
        lines += [_attempts(f"PAGES + {n} * 0x1000", "us") for n in range(3)]
    lines.append(say("empty"))
    lines.append("li t0, 0xffff; csrc pmpcfg0, t0; li t0, (PAGES + 0x2000) >> 2")
    lines.append("csrw pmpaddr0, t0; li t0, PAGES >> 2; csrw pmpaddr1, t0")
    lines.append("li t0, 0x0800; csrs pmpcfg0, t0\n" + _attempts("PAGES", "us"))
    lines.append(say("from zero"))
    lines.append("li t0, 0xffff; csrc pmpcfg0, t0; li t0, (PAGES + 0x1000) >> 2")
    lines.append("csrw pmpaddr0, t0; li t0, 0x09; csrs pmpcfg0, t0")
    lines += [_attempts("PAGES", "us"), _attempts("PAGES + 0x1000", "us")]
    return "\n".join(lines) + EPILOGUE


def locked() -> str:
    """Locked entries bind M-mode, and neither they nor what bounds them can be written."""
    lines = [_start()]
    lines.append(f"li t0, {napot('PAGES + 0x1000', '0x1000')}; csrw pmpaddr2, t0")
    lines.append("li t0, 0x99 << 16; csrs pmpcfg0, t0")
    lines.append(say("read only for all") + _attempts("PAGES + 0x1000"))
    lines.append("li t0, 0xff << 16; csrc pmpcfg0, t0; li t0, 0; csrw pmpaddr2, t0")
    lines.append("csrr s1, pmpcfg0; csrr s2, pmpaddr2\n" + show("s1", "s2"))
    lines.append("li t0, (PAGES + 0x2000) >> 2; csrw pmpaddr3, t0")
    lines.append("li t0, (PAGES + 0x3000) >> 2; csrw pmpaddr4, t0")
    lines.append("li t0, 0x8c << 32; csrs pmpcfg0, t0")
    lines.append(say("execute only, as a range") + _attempts("PAGES + 0x2000"))
    lines.append("csrw pmpaddr3, zero; csrw pmpaddr4, zero; li t0, 0xff << 24")
    lines.append("csrc pmpcfg0, t0; csrr s1, pmpaddr3; csrr s2, pmpaddr4\n" + show("s1", "s2"))
    lines.append(_attempts("PAGES + 0x2000") + _attempts("PAGES + 0x3000"))
    return "\n".join(lines) + EPILOGUE


def tables() -> str:
    """Page tables must be readable for S-mode, and writable to become accessed and dirty."""
    lines = [_start(), "li s6, TABLES + 0x2000"]
    for rwx in (0, 1, 3, 7):
        for flags in ("0xDF", "0x5F", "0x1F"):
            lines.append(say(f"table {rwx}, entry {flags}"))
            lines.append(f"li t0, (PAGES >> 2) | {flags}; sd t0, 0(s6)")
            lines.append(f"li t0, {napot('TABLES + 0x2000', '0x1000')}; csrw pmpaddr0, t0")
            lines.append(f"li t0, 0xff; csrc pmpcfg0, t0; li t0, {0x18 | rwx}")
            lines.append("csrs pmpcfg0, t0\n" + satp(SV39) + _attempts("0x40000000", "u"))
            lines.append("csrw satp, zero; ld s1, 0(s6)\n" + show("s1"))
    return "\n".join(lines) + EPILOGUE
