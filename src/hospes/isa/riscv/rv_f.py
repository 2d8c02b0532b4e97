"""F: single-precision loads, stores and arithmetic (Unprivileged ISA, chapter "F")."""

from hospes.base.bits import u64
from hospes.isa.insn import insn
from hospes.isa.riscv.fp import f32_add, f32_div, f32_fma, f32_mul, f32_sqrt, f32_sub
from hospes.isa.riscv.fp_bits import SIGN32, box32, dirty_fp, f32_max, f32_min, require_fp, unbox32
from hospes.isa.riscv.hart import Hart
from hospes.isa.subset import load32, store32


@insn("imm[11:0] rs1 010 rd 0000111", "flw {rd:f}, {imm}({rs1})")
def flw(h: Hart, rd: int, rs1: int, imm: int) -> None:
    """Load a single."""
    require_fp(h)
    h.f[rd] = box32(load32(h, u64(h.x[rs1] + imm)))
    dirty_fp(h)


@insn("imm[11:5] rs2 rs1 010 imm[4:0] 0100111", "fsw {rs2:f}, {imm}({rs1})")
def fsw(h: Hart, rs1: int, rs2: int, imm: int) -> None:
    """Store a single, boxed or not."""
    require_fp(h)
    store32(h, u64(h.x[rs1] + imm), h.f[rs2])


@insn("0000000 rs2 rs1 rm rd 1010011", "fadd.s {rd:f}, {rs1:f}, {rs2:f}, {rm}")
def fadd_s(h: Hart, rd: int, rs1: int, rs2: int, rm: int) -> None:
    """rs1 + rs2."""
    h.f[rd] = box32(f32_add(h, unbox32(h.f[rs1]), unbox32(h.f[rs2]), rm))
    dirty_fp(h)


@insn("0000100 rs2 rs1 rm rd 1010011", "fsub.s {rd:f}, {rs1:f}, {rs2:f}, {rm}")
def fsub_s(h: Hart, rd: int, rs1: int, rs2: int, rm: int) -> None:
    """rs1 - rs2."""
    h.f[rd] = box32(f32_sub(h, unbox32(h.f[rs1]), unbox32(h.f[rs2]), rm))
    dirty_fp(h)


@insn("0001000 rs2 rs1 rm rd 1010011", "fmul.s {rd:f}, {rs1:f}, {rs2:f}, {rm}")
def fmul_s(h: Hart, rd: int, rs1: int, rs2: int, rm: int) -> None:
    """rs1 * rs2."""
    h.f[rd] = box32(f32_mul(h, unbox32(h.f[rs1]), unbox32(h.f[rs2]), rm))
    dirty_fp(h)


@insn("0001100 rs2 rs1 rm rd 1010011", "fdiv.s {rd:f}, {rs1:f}, {rs2:f}, {rm}")
def fdiv_s(h: Hart, rd: int, rs1: int, rs2: int, rm: int) -> None:
    """rs1 / rs2."""
    h.f[rd] = box32(f32_div(h, unbox32(h.f[rs1]), unbox32(h.f[rs2]), rm))
    dirty_fp(h)


@insn("0101100 00000 rs1 rm rd 1010011", "fsqrt.s {rd:f}, {rs1:f}, {rm}")
def fsqrt_s(h: Hart, rd: int, rs1: int, rm: int) -> None:
    """The square root of rs1."""
    h.f[rd] = box32(f32_sqrt(h, unbox32(h.f[rs1]), rm))
    dirty_fp(h)


@insn("rs3 00 rs2 rs1 rm rd 1000011", "fmadd.s {rd:f}, {rs1:f}, {rs2:f}, {rs3:f}, {rm}")
def fmadd_s(h: Hart, rd: int, rs1: int, rs2: int, rs3: int, rm: int) -> None:
    """rs1 * rs2 + rs3, rounded once."""
    a = unbox32(h.f[rs1])
    c = unbox32(h.f[rs3])
    h.f[rd] = box32(f32_fma(h, a, unbox32(h.f[rs2]), c, rm))
    dirty_fp(h)


@insn("rs3 00 rs2 rs1 rm rd 1000111", "fmsub.s {rd:f}, {rs1:f}, {rs2:f}, {rs3:f}, {rm}")
def fmsub_s(h: Hart, rd: int, rs1: int, rs2: int, rs3: int, rm: int) -> None:
    """rs1 * rs2 - rs3, rounded once."""
    a = unbox32(h.f[rs1])
    c = unbox32(h.f[rs3]) ^ SIGN32
    h.f[rd] = box32(f32_fma(h, a, unbox32(h.f[rs2]), c, rm))
    dirty_fp(h)


@insn("rs3 00 rs2 rs1 rm rd 1001011", "fnmsub.s {rd:f}, {rs1:f}, {rs2:f}, {rs3:f}, {rm}")
def fnmsub_s(h: Hart, rd: int, rs1: int, rs2: int, rs3: int, rm: int) -> None:
    """-(rs1 * rs2) + rs3, rounded once."""
    a = unbox32(h.f[rs1]) ^ SIGN32
    c = unbox32(h.f[rs3])
    h.f[rd] = box32(f32_fma(h, a, unbox32(h.f[rs2]), c, rm))
    dirty_fp(h)


@insn("rs3 00 rs2 rs1 rm rd 1001111", "fnmadd.s {rd:f}, {rs1:f}, {rs2:f}, {rs3:f}, {rm}")
def fnmadd_s(h: Hart, rd: int, rs1: int, rs2: int, rs3: int, rm: int) -> None:
    """-(rs1 * rs2) - rs3, rounded once."""
    a = unbox32(h.f[rs1]) ^ SIGN32
    c = unbox32(h.f[rs3]) ^ SIGN32
    h.f[rd] = box32(f32_fma(h, a, unbox32(h.f[rs2]), c, rm))
    dirty_fp(h)


@insn("0010000 rs2 rs1 000 rd 1010011", "fsgnj.s {rd:f}, {rs1:f}, {rs2:f}")
def fsgnj_s(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """rs1 with the sign of rs2."""
    require_fp(h)
    h.f[rd] = box32((unbox32(h.f[rs1]) & (SIGN32 - 1)) | (unbox32(h.f[rs2]) & SIGN32))
    dirty_fp(h)


@insn("0010000 rs2 rs1 001 rd 1010011", "fsgnjn.s {rd:f}, {rs1:f}, {rs2:f}")
def fsgnjn_s(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """rs1 with the opposite of the sign of rs2."""
    require_fp(h)
    h.f[rd] = box32((unbox32(h.f[rs1]) & (SIGN32 - 1)) | (~unbox32(h.f[rs2]) & SIGN32))
    dirty_fp(h)


@insn("0010000 rs2 rs1 010 rd 1010011", "fsgnjx.s {rd:f}, {rs1:f}, {rs2:f}")
def fsgnjx_s(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """rs1 with its sign flipped if rs2 is negative."""
    require_fp(h)
    h.f[rd] = box32(unbox32(h.f[rs1]) ^ (unbox32(h.f[rs2]) & SIGN32))
    dirty_fp(h)


@insn("0010100 rs2 rs1 000 rd 1010011", "fmin.s {rd:f}, {rs1:f}, {rs2:f}")
def fmin_s(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """The lesser of rs1 and rs2; a number rather than a NaN."""
    require_fp(h)
    h.f[rd] = box32(f32_min(h, unbox32(h.f[rs1]), unbox32(h.f[rs2])))
    dirty_fp(h)


@insn("0010100 rs2 rs1 001 rd 1010011", "fmax.s {rd:f}, {rs1:f}, {rs2:f}")
def fmax_s(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """The greater of rs1 and rs2; a number rather than a NaN."""
    require_fp(h)
    h.f[rd] = box32(f32_max(h, unbox32(h.f[rs1]), unbox32(h.f[rs2])))
    dirty_fp(h)
