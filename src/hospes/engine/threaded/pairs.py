"""The pairs of instructions worth a handler of their own, most frequent first.

Measured by sampling straight-line code while Debian boots and busybox runs sha256sum, gzip, sort,
awk, a shell loop, fork and exec, and one-byte reads and writes. A line: two operations with their
lengths in bytes, and which operands of the second are the destination of the first.
"""

from typing import Final

PAIRS: Final = """
add.2 add.2
sd.2 sd.2
ld.2 ld.2
add.2 bne.4
sd.4 add.2
add.2 sd.4
sltu.4 add.2 rs1
ld.4 sub.4 rs1
sub.4 sltu.4 rs2
add.2 sltu.4 rs1
addi.2 sd.2 rs1
sd.4 sd.4
ld.2 add.2
ld.2 addi.2
ld.2 ld.4
sd.2 addi.2
sub.4 slli.2 rs1
add.4 ld.2 rs1
slli.2 add.4 rs2
add.2 add.2 rs1
ld.4 addi.2
sd.4 bne.4
addi.2 jalr.2
slli.4 srli.2 rs1
addi.2 xor.2
xor.2 sd.4 rs2
ld.4 add.2 rs2
mul.4 mul.4
add.2 addiw.2
addi.4 addi.4
addiw.2 slli.4
srli.2 srli.2
mul.4 slli.4
srli.2 mul.4
ld.4 ld.2
addiw.2 addi.2
add.2 jal.2
addi.4 addi.2
add.2 sub.4 rs1
sub.4 sltiu.4 rs1
sltu.4 add.2
slliw.4 srliw.4
ld.2 addiw.2
mulhu.4 add.2
addi.2 addi.2
addi.2 mul.4
mul.4 mulhu.4
srliw.4 or_.4 rs1
ld.4 ld.4
addi.2 add.2
auipc.4 jalr.4 rs1
srliw.4 slliw.4
lbu.4 lbu.4
add.4 ld.4 rs1
auipc.4 ld.4 rs1
lbu.4 addi.2
ld.4 add.4
sw.4 ld.2
auipc.4 addi.4 rs1
xor.4 xor.4
srliw.4 srliw.4
addw.4 addw.4
addi.2 bne.4
add.2 auipc.4
ld.2 add.2 rs1
lw.2 lw.2
add.2 sub.4
slliw.4 or_.2
sd.2 add.2
xor.2 addi.2
sltu.4 sltu.4
sltu.4 addiw.2
add.2 addi.4
add.2 beq.4 rs2
slli.2 add.2 rs1
add.2 ld.2
lw.2 slliw.4
or_.2 srliw.4
or_.4 xor.2 rs2
xor.2 srliw.4
srliw.4 lw.2
lw.2 xor.2
add.2 jal.4
add.4 lbu.4 rs1
ld.2 add.4
add.2 lbu.4 rs1
add.2 addi.2
add.2 lhu.4 rs1
add.2 bgeu.4
ld.4 sub.4
ld.4 ld.2 rs1
slli.2 srli.2 rs1
addi.2 ld.2
sb.4 bne.2
addi.2 add.4
srli.2 add.2 rs1
add.2 add.4
add.4 sb.4 rs1
lbu.4 bne.4 rs1
ld.4 sd.2
addi.4 add.2
add.4 sw.4 rs1
ld.4 add.2
add.4 add.4 rs1
or_.4 xor.4 rs2
addi.2 bne.2
addw.4 xor.4
slli.4 srli.4 rs1
addi.2 sd.2
addi.2 auipc.4
addiw.4 bgeu.4 rs2
sd.2 ld.4
add.4 sltu.4
lhu.4 bgeu.4 rs2
lw.2 addi.2
and_.2 slli.2 rs1
add.2 ld.2 rs1
addi.2 jal.2
addi.4 auipc.4
sub.4 sub.4 rs1
lbu.4 addi.4
ld.4 xor.2 rs1
addi.2 slli.4
lbu.4 bne.2 rs1
slli.4 add.2 rs1
lbu.4 slliw.4 rs1
lw.4 lw.4
sd.4 ld.4
sd.2 auipc.4
add.2 sd.4 rs2
lw.4 auipc.4
ld.2 xor.2 rs1
srli.4 add.2 rs1
add.2 beq.4
addi.2 ld.4
addi.4 bltu.4 rs1
slliw.4 sraiw.4 rs1
slli.4 add.4 rs2
sd.2 ld.2
addw.2 addw.4
xor.4 srliw.4 rs1
addi.2 beq.2
sd.4 addi.2
ld.4 lbu.4 rs1
andi.4 add.2
sub.4 add.2
addi.4 jal.2
sub.4 sltu.4
addi.2 beq.4
add.2 slli.4 rs1
lw.2 slli.2 rs1
add.2 sd.2
ld.4 lw.2 rs1
add.2 bne.2
sd.4 addiw.2
lbu.4 beq.2 rs1
add.2 andi.2
lw.2 and_.4 rs1
addi.4 jal.4
subw.4 addi.4
or_.4 or_.4
lui.2 subw.4
addi.2 addiw.2
or_.4 slliw.4
add.2 bltu.4
addiw.2 bltu.4
andi.4 sub.4 rs2
sw.4 add.2
sd.2 lw.4
add.2 beq.4 rs1
slli.2 lbu.4
add.2 ld.4
sub.4 bltu.4 rs1
ld.2 sw.4
slli.2 or_.2 rs1
addiw.4 beq.4
sub.4 addiw.4
sub.4 beq.4 rs2
xor.4 slliw.4
xor.4 xori.4
or_.2 slli.2
addi.2 beq.4 rs2
slli.4 bge.4 rs1
addi.2 jal.4
add.2 blt.4
lui.2 add.2 rs1
ld.2 lw.4
addi.2 lw.2
ld.4 sd.4 rs2
srli.4 srli.4
ld.2 sub.4
add.2 sltiu.4
and_.4 bne.4 rs1
sltiu.4 bne.2 rs1
ld.2 sd.2 rs2
add.2 ld.4 rs1
add.4 addi.2
andi.4 bne.2 rs1
addi.4 add.4
slli.4 auipc.4
sd.2 addi.4
subw.4 slli.4 rs1
lui.2 sd.2
addi.2 sd.4 rs1
add.2 bgeu.4 rs1
xor.4 addw.4
sd.2 slli.4
addiw.4 addiw.4
slli.4 bne.2 rs1
add.2 beq.2
lhu.4 add.2 rs2
or_.4 sd.4 rs2
sub.4 sub.2 rs1
addi.2 addi.4
lbu.4 slli.2
ld.4 addi.4
slliw.4 or_.4 rs2
lw.4 ld.4
addi.2 bltu.4
srli.2 sw.4
add.4 xori.4
addiw.2 add.2
ld.4 ld.4 rs1
ld.2 sd.2
addi.2 bne.4 rs1
addi.2 lw.4
ld.4 slli.2
sub.4 srai.2 rs1
andi.2 jal.2
lw.4 sd.2
addi.2 srli.4
or_.4 srliw.4
lwu.4 add.2
ld.4 lwu.4
srai.2 bltu.4 rs1
or_.4 xor.4
lui.4 addi.4 rs1
lbu.4 beq.4 rs1
addi.4 beq.4 rs2
lb.4 lb.4
lw.4 add.2
slli.4 or_.2 rs2
ld.4 lui.2
lw.2 ld.4
xor.4 lw.4
sb.4 sb.4
sw.4 addi.2
or_.2 sd.2
lw.4 addi.2
sd.2 sllw.4
addiw.4 slli.2 rs1
addi.4 add.2 rs1
sllw.4 or_.2 rs1
sd.2 addw.4
addi.4 slli.4 rs1
or_.4 slli.2
addi.2 sw.4
lw.2 slli.4 rs1
sd.2 jal.4
lui.2 addiw.4 rs1
slli.4 add.2
andi.2 bne.2 rs1
addiw.4 addw.4 rs2
addw.4 slli.4
and_.4 and_.4
lbu.4 lw.4
slliw.4 xor.2 rs1
add.2 lw.4 rs1
lw.4 or_.4
or_.4 addw.4
addw.4 and_.4
and_.4 addw.4
ld.4 auipc.4
auipc.4 lbu.4 rs1
sd.2 lui.2
andi.4 addi.2
sub.4 beq.4 rs1
slli.2 or_.4 rs1
remu.4 mul.4
mul.4 slli.2
sd.4 srli.4
srli.4 bne.2 rs1
ld.2 addiw.4
srli.4 bne.4
andi.4 lw.2 rs1
add.2 andi.4
srli.4 andi.2 rs1
ld.4 addiw.2
ld.2 addi.4
subw.4 addi.2
srli.2 add.2 rs2
divu.4 ld.4
slli.4 srli.2
lw.4 addiw.2
slliw.4 slliw.4
addi.4 slli.2
auipc.4 lw.4 rs1
addiw.4 slli.2
add.2 srli.4
lw.4 srliw.4
sub.2 beq.4 rs1
lw.4 slliw.4
addi.4 ld.2
or_.2 sd.4 rs2
slliw.4 lw.4
or_.4 xor.2
addiw.2 addiw.4
slli.4 subw.4
sd.4 addi.4
add.2 sb.4 rs1
sh.4 sh.4
addi.2 fld.2
fld.2 beq.2
sw.4 sw.4
ld.4 addiw.4
lbu.4 or_.2
lhu.4 andi.4
andi.4 sh.4
sh.4 sw.2
ld.2 bltu.4 rs1
lw.4 bne.4 rs1
lw.4 addiw.2 rs1
add.4 add.2
addi.2 bltu.4 rs1
"""
