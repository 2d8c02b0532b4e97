"""RISC-V assembly: aliases, macros such as `li` and `call`, suffixes and %functions."""

from collections.abc import Mapping, Sequence
from typing import Final

from hospes.isa.riscv.registers import kind_of
from hospes.isa.syntax import Alias, Kind, Number

IORW: Final = 15

ALIASES: Final = (
    Alias("nop", "addi", {"rd": 0, "rs1": 0, "imm": 0}),
    Alias("li {rd}, {imm}", "addi", {"rs1": 0}),
    Alias("mv {rd}, {rs1}", "addi", {"imm": 0}),
    Alias("not {rd}, {rs1}", "xori", {"imm": -1}),
    Alias("zext.b {rd}, {rs1}", "andi", {"imm": 0xFF}),
    Alias("neg {rd}, {rs2}", "sub", {"rs1": 0}),
    Alias("negw {rd}, {rs2}", "subw", {"rs1": 0}),
    Alias("sext.w {rd}, {rs1}", "addiw", {"imm": 0}),
    Alias("zext.w {rd}, {rs1}", "add.uw", {"rs2": 0}),
    Alias("seqz {rd}, {rs1}", "sltiu", {"imm": 1}),
    Alias("snez {rd}, {rs2}", "sltu", {"rs1": 0}),
    Alias("sltz {rd}, {rs1}", "slt", {"rs2": 0}),
    Alias("sgtz {rd}, {rs2}", "slt", {"rs1": 0}),
    Alias("beqz {rs1}, {imm:pc}", "beq", {"rs2": 0}),
    Alias("bnez {rs1}, {imm:pc}", "bne", {"rs2": 0}),
    Alias("blez {rs2}, {imm:pc}", "bge", {"rs1": 0}),
    Alias("bgez {rs1}, {imm:pc}", "bge", {"rs2": 0}),
    Alias("bltz {rs1}, {imm:pc}", "blt", {"rs2": 0}),
    Alias("bgtz {rs2}, {imm:pc}", "blt", {"rs1": 0}),
    Alias("bgt {rs2}, {rs1}, {imm:pc}", "blt"),
    Alias("ble {rs2}, {rs1}, {imm:pc}", "bge"),
    Alias("bgtu {rs2}, {rs1}, {imm:pc}", "bltu"),
    Alias("bleu {rs2}, {rs1}, {imm:pc}", "bgeu"),
    Alias("j {imm:pc}", "jal", {"rd": 0}),
    Alias("jal {imm:pc}", "jal", {"rd": 1}),
    Alias("ret", "jalr", {"rd": 0, "rs1": 1, "imm": 0}),
    Alias("jr {rs1}", "jalr", {"rd": 0, "imm": 0}),
    Alias("jr {imm}({rs1})", "jalr", {"rd": 0}),
    Alias("jalr {rs1}", "jalr", {"rd": 1, "imm": 0}),
    Alias("jalr {imm}({rs1})", "jalr", {"rd": 1}),
    Alias("jalr {rd}, {rs1}, {imm}", "jalr"),
    Alias("fence", "fence", {"pred": IORW, "succ": IORW, "fm": 0}),
    Alias("fence.tso", "fence", {"pred": 3, "succ": 3, "fm": 8}),
    Alias("rdcycle {rd}", "csrrs", {"csr": 0xC00, "rs1": 0}),
    Alias("rdtime {rd}", "csrrs", {"csr": 0xC01, "rs1": 0}),
    Alias("rdinstret {rd}", "csrrs", {"csr": 0xC02, "rs1": 0}),
    Alias("frflags {rd}", "csrrs", {"csr": 1, "rs1": 0}),
    Alias("frrm {rd}", "csrrs", {"csr": 2, "rs1": 0}),
    Alias("frcsr {rd}", "csrrs", {"csr": 3, "rs1": 0}),
    Alias("fsflags {rs1}", "csrrw", {"csr": 1, "rd": 0}),
    Alias("fsrm {rs1}", "csrrw", {"csr": 2, "rd": 0}),
    Alias("fscsr {rs1}", "csrrw", {"csr": 3, "rd": 0}),
    Alias("csrr {rd}, {csr}", "csrrs", {"rs1": 0}),
    Alias("csrw {csr}, {rs1}", "csrrw", {"rd": 0}),
    Alias("csrs {csr}, {rs1}", "csrrs", {"rd": 0}),
    Alias("csrc {csr}, {rs1}", "csrrc", {"rd": 0}),
    Alias("csrwi {csr}, {uimm}", "csrrwi", {"rd": 0}),
    Alias("csrsi {csr}, {uimm}", "csrrsi", {"rd": 0}),
    Alias("csrci {csr}, {uimm}", "csrrci", {"rd": 0}),
    Alias("sfence.vma", "sfence.vma", {"rs1": 0, "rs2": 0}),
    Alias("sfence.vma {rs1}", "sfence.vma", {"rs2": 0}),
    *(
        Alias(f"f{name}.{size} {{rd:f}}, {{rs1:f}}", f"fsgnj{how}.{size}", {"rs2": "rs1"})
        for size in "sd"
        for name, how in (("mv", ""), ("neg", "n"), ("abs", "x"))
    ),
)
SUFFIXES: Final = {".aqrl": (1, 1), ".aq": (1, 0), ".rl": (0, 1)}


class RiscvDialect:
    """The Dialect of RISC-V."""

    aliases: Sequence[Alias] = ALIASES

    def kind(self, name: str, form: str) -> Kind:
        return kind_of(name, form)

    def suffixes(self, mnemonic: str) -> tuple[str, dict[str, int]]:
        """Split off the ordering of an atomic: `.aq`, `.rl` or `.aqrl`."""
        for suffix, (aq, rl) in SUFFIXES.items():
            if mnemonic.endswith(suffix):
                return mnemonic.removesuffix(suffix), {"aq": aq, "rl": rl}
        return mnemonic, {}

    def suffix(self, name: str, values: Mapping[str, int]) -> str:
        """The ordering suffix for the fields aq and rl."""
        return {bits: suffix for suffix, bits in SUFFIXES.items()}.get(
            (values["aq"], values["rl"]), ""
        )

    def expand(self, mnemonic: str, operands: Sequence[str], number: Number) -> list[str] | None:
        """`li`, and address macros relative to the pc; their scratch register is as in binutils."""
        if mnemonic == "li" and len(operands) == 2:
            return load_immediate(operands[0], number(operands[1]))
        if mnemonic in {"la", "lla"} and len(operands) == 2:
            register, target = operands
            return [
                f"auipc {register}, %pcrel_hi({target})",
                f"addi {register}, {register}, %pcrel_next_lo({target})",
            ]
        if mnemonic in {"call", "tail"} and len(operands) == 1:
            scratch, link = ("ra", "ra") if mnemonic == "call" else ("t1", "zero")
            return [
                f"auipc {scratch}, %pcrel_hi({operands[0]})",
                f"jalr {link}, %pcrel_next_lo({operands[0]})({scratch})",
            ]
        return None

    def function(self, name: str, value: int, pc: int) -> int:
        """%hi and %lo of a number, %pcrel_hi of an address; %pcrel_next_lo is its partner in the
        instruction after."""
        distances = {
            "hi": value, "lo": value, "pcrel_hi": value - pc, "pcrel_next_lo": value - (pc - 4),
        }  # fmt: skip
        distance = distances[name]
        return upper(distance) if name.endswith("hi") else distance - (distance + 0x800 & ~0xFFF)


def upper(value: int) -> int:
    """What lui or auipc adds, in units of 4096, when a signed 12-bit number is added after it."""
    return value + 0x800 >> 12 & 0xFFFFF


def load_immediate(register: str, value: int) -> list[str]:
    """Instructions that put a constant of up to 64 bits into a register; only that is written."""
    if not -(1 << 63) <= value < 1 << 64:
        raise ValueError(f"{value:#x} does not fit 64 bits")
    value = (value & (1 << 64) - 1 ^ 1 << 63) - (1 << 63)
    low = (value & 0xFFF ^ 0x800) - 0x800
    if value == low:
        return [f"addi {register}, zero, {value}"]
    if -(1 << 31) <= value < 1 << 31:
        lui = f"lui {register}, {upper(value)}"
        return [lui, f"addiw {register}, {register}, {low}"] if low else [lui]
    high = value - low
    shift = (high & -high).bit_length() - 1
    lines = [*load_immediate(register, high >> shift), f"slli {register}, {register}, {shift}"]
    return [*lines, f"addi {register}, {register}, {low}"] if low else lines
