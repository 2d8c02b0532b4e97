"""C: 16-bit encodings of RV64I instructions (Unprivileged ISA, chapter 28).

Encodings the chapter calls HINTs are left to the expanded instruction, which has no effect when
its destination is x0.
"""

from hospes.isa.insn import compressed
from hospes.isa.riscv.rv_i import (
    add,
    addi,
    and_,
    andi,
    beq,
    bne,
    jal,
    jalr,
    ld,
    lui,
    lw,
    or_,
    sd,
    slli,
    srai,
    srli,
    sub,
    sw,
    xor,
)
from hospes.isa.riscv.rv_iw import addiw, addw, subw

SP = 2

# Loads and stores, relative to the stack pointer (28.3.1) or a register (28.3.2).
c_lwsp = compressed(
    "010 uimm[5] rd uimm[4:2|7:6] 10", "c.lwsp {rd}, {uimm}(sp)", lw,
    rd="rd", rs1=SP, imm="uimm", where="rd != 0",
)  # fmt: skip
c_ldsp = compressed(
    "011 uimm[5] rd uimm[4:3|8:6] 10", "c.ldsp {rd}, {uimm}(sp)", ld,
    rd="rd", rs1=SP, imm="uimm", where="rd != 0",
)  # fmt: skip
c_swsp = compressed(
    "110 uimm[5:2|7:6] rs2 10", "c.swsp {rs2}, {uimm}(sp)", sw,
    rs1=SP, rs2="rs2", imm="uimm",
)  # fmt: skip
c_sdsp = compressed(
    "111 uimm[5:3|8:6] rs2 10", "c.sdsp {rs2}, {uimm}(sp)", sd,
    rs1=SP, rs2="rs2", imm="uimm",
)  # fmt: skip
c_lw = compressed(
    "010 uimm[5:3] rs1' uimm[2|6] rd' 00", "c.lw {rd'}, {uimm}({rs1'})", lw,
    rd="rd'", rs1="rs1'", imm="uimm",
)  # fmt: skip
c_ld = compressed(
    "011 uimm[5:3] rs1' uimm[7:6] rd' 00", "c.ld {rd'}, {uimm}({rs1'})", ld,
    rd="rd'", rs1="rs1'", imm="uimm",
)  # fmt: skip
c_sw = compressed(
    "110 uimm[5:3] rs1' uimm[2|6] rs2' 00", "c.sw {rs2'}, {uimm}({rs1'})", sw,
    rs1="rs1'", rs2="rs2'", imm="uimm",
)  # fmt: skip
c_sd = compressed(
    "111 uimm[5:3] rs1' uimm[7:6] rs2' 00", "c.sd {rs2'}, {uimm}({rs1'})", sd,
    rs1="rs1'", rs2="rs2'", imm="uimm",
)  # fmt: skip

# Control transfer (28.4).
c_j = compressed("101 imm[11|4|9:8|10|6|7|3:1|5] 01", "c.j {imm:pc}", jal, rd=0, imm="imm")
c_jr = compressed(
    "100 0 rs1 00000 10", "c.jr {rs1}", jalr, rd=0, rs1="rs1", imm=0, where="rs1 != 0"
)
c_jalr = compressed(
    "100 1 rs1 00000 10", "c.jalr {rs1}", jalr, rd=1, rs1="rs1", imm=0, where="rs1 != 0"
)
c_beqz = compressed(
    "110 imm[8|4:3] rs1' imm[7:6|2:1|5] 01", "c.beqz {rs1'}, {imm:pc}", beq,
    rs1="rs1'", rs2=0, imm="imm",
)  # fmt: skip
c_bnez = compressed(
    "111 imm[8|4:3] rs1' imm[7:6|2:1|5] 01", "c.bnez {rs1'}, {imm:pc}", bne,
    rs1="rs1'", rs2=0, imm="imm",
)  # fmt: skip

# Constants (28.5.1).
c_li = compressed("010 imm[5] rd imm[4:0] 01", "c.li {rd}, {imm}", addi, rd="rd", rs1=0, imm="imm")
c_lui = compressed(
    "011 imm[17] rd imm[16:12] 01", "c.lui {rd}, {imm:hi}", lui,
    rd="rd", imm="imm", where="rd != 2 and imm != 0",
)  # fmt: skip

# A register with an immediate (28.5.2).
c_nop = compressed("000 imm[5] 00000 imm[4:0] 01", "c.nop", addi, rd=0, rs1=0, imm="imm")
c_addi = compressed(
    "000 imm[5] rd imm[4:0] 01", "c.addi {rd}, {imm}", addi,
    rd="rd", rs1="rd", imm="imm", where="rd != 0",
)  # fmt: skip
c_addiw = compressed(
    "001 imm[5] rd imm[4:0] 01", "c.addiw {rd}, {imm}", addiw,
    rd="rd", rs1="rd", imm="imm", where="rd != 0",
)  # fmt: skip
c_addi16sp = compressed(
    "011 imm[9] 00010 imm[4|6|8:7|5] 01", "c.addi16sp sp, {imm}", addi,
    rd=SP, rs1=SP, imm="imm", where="imm != 0",
)  # fmt: skip
c_addi4spn = compressed(
    "000 uimm[5:4|9:6|2|3] rd' 00", "c.addi4spn {rd'}, sp, {uimm}", addi,
    rd="rd'", rs1=SP, imm="uimm", where="uimm != 0",
)  # fmt: skip
c_slli = compressed(
    "000 shamt[5] rd shamt[4:0] 10", "c.slli {rd}, {shamt}", slli,
    rd="rd", rs1="rd", shamt="shamt",
)  # fmt: skip
c_srli = compressed(
    "100 shamt[5] 00 rd' shamt[4:0] 01", "c.srli {rd'}, {shamt}", srli,
    rd="rd'", rs1="rd'", shamt="shamt",
)  # fmt: skip
c_srai = compressed(
    "100 shamt[5] 01 rd' shamt[4:0] 01", "c.srai {rd'}, {shamt}", srai,
    rd="rd'", rs1="rd'", shamt="shamt",
)  # fmt: skip
c_andi = compressed(
    "100 imm[5] 10 rd' imm[4:0] 01", "c.andi {rd'}, {imm}", andi,
    rd="rd'", rs1="rd'", imm="imm",
)  # fmt: skip

# Two registers (28.5.3).
c_mv = compressed(
    "100 0 rd rs2 10", "c.mv {rd}, {rs2}", add, rd="rd", rs1=0, rs2="rs2", where="rs2 != 0"
)
c_add = compressed(
    "100 1 rd rs2 10", "c.add {rd}, {rs2}", add, rd="rd", rs1="rd", rs2="rs2", where="rs2 != 0"
)
c_sub = compressed(
    "100 0 11 rd' 00 rs2' 01", "c.sub {rd'}, {rs2'}", sub, rd="rd'", rs1="rd'", rs2="rs2'"
)
c_xor = compressed(
    "100 0 11 rd' 01 rs2' 01", "c.xor {rd'}, {rs2'}", xor, rd="rd'", rs1="rd'", rs2="rs2'"
)
c_or = compressed(
    "100 0 11 rd' 10 rs2' 01", "c.or {rd'}, {rs2'}", or_, rd="rd'", rs1="rd'", rs2="rs2'"
)
c_and = compressed(
    "100 0 11 rd' 11 rs2' 01", "c.and {rd'}, {rs2'}", and_, rd="rd'", rs1="rd'", rs2="rs2'"
)
c_subw = compressed(
    "100 1 11 rd' 00 rs2' 01", "c.subw {rd'}, {rs2'}", subw, rd="rd'", rs1="rd'", rs2="rs2'"
)
c_addw = compressed(
    "100 1 11 rd' 01 rs2' 01", "c.addw {rd'}, {rs2'}", addw, rd="rd'", rs1="rd'", rs2="rs2'"
)
