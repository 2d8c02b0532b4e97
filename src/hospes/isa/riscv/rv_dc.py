"""C with D: 16-bit loads and stores of doubles (Unprivileged ISA, chapter 28)."""

from hospes.isa.insn import compressed
from hospes.isa.riscv.rv_d import fld, fsd

SP = 2

c_fldsp = compressed(
    "001 uimm[5] rd uimm[4:3|8:6] 10", "c.fldsp {rd:f}, {uimm}(sp)", fld,
    rd="rd", rs1=SP, imm="uimm",
)  # fmt: skip
c_fsdsp = compressed(
    "101 uimm[5:3|8:6] rs2 10", "c.fsdsp {rs2:f}, {uimm}(sp)", fsd,
    rs1=SP, rs2="rs2", imm="uimm",
)  # fmt: skip
c_fld = compressed(
    "001 uimm[5:3] rs1' uimm[7:6] rd' 00", "c.fld {rd':f}, {uimm}({rs1'})", fld,
    rd="rd'", rs1="rs1'", imm="uimm",
)  # fmt: skip
c_fsd = compressed(
    "101 uimm[5:3] rs1' uimm[7:6] rs2' 00", "c.fsd {rs2':f}, {uimm}({rs1'})", fsd,
    rs1="rs1'", rs2="rs2'", imm="uimm",
)  # fmt: skip
