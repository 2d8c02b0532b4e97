"""F: single-precision conversions, moves, comparisons and classes."""

from hospes.base.bits import s32, s64, u32
from hospes.isa.insn import insn
from hospes.isa.riscv.fp import f32_eq, f32_le, f32_lt, i64_to_f32, u64_to_f32
from hospes.isa.riscv.fp_bits import box32, dirty_fp, f32_class, require_fp, unbox32
from hospes.isa.riscv.fp_convert import f32_to_i32, f32_to_i64, f32_to_u32, f32_to_u64
from hospes.isa.riscv.hart import Hart


@insn("1010000 rs2 rs1 010 rd 1010011", "feq.s {rd}, {rs1:f}, {rs2:f}")
def feq_s(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """1 if rs1 == rs2; a quiet comparison."""
    require_fp(h)
    h.x[rd] = f32_eq(h, unbox32(h.f[rs1]), unbox32(h.f[rs2]))
    dirty_fp(h)


@insn("1010000 rs2 rs1 001 rd 1010011", "flt.s {rd}, {rs1:f}, {rs2:f}")
def flt_s(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """1 if rs1 < rs2; a signalling comparison."""
    require_fp(h)
    h.x[rd] = f32_lt(h, unbox32(h.f[rs1]), unbox32(h.f[rs2]))
    dirty_fp(h)


@insn("1010000 rs2 rs1 000 rd 1010011", "fle.s {rd}, {rs1:f}, {rs2:f}")
def fle_s(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """1 if rs1 <= rs2; a signalling comparison."""
    require_fp(h)
    h.x[rd] = f32_le(h, unbox32(h.f[rs1]), unbox32(h.f[rs2]))
    dirty_fp(h)


@insn("1110000 00000 rs1 001 rd 1010011", "fclass.s {rd}, {rs1:f}")
def fclass_s(h: Hart, rd: int, rs1: int) -> None:
    """The class of rs1 as a one-hot mask."""
    require_fp(h)
    h.x[rd] = f32_class(unbox32(h.f[rs1]))


@insn("1100000 00000 rs1 rm rd 1010011", "fcvt.w.s {rd}, {rs1:f}, {rm}")
def fcvt_w_s(h: Hart, rd: int, rs1: int, rm: int) -> None:
    """A signed word from a single."""
    h.x[rd] = f32_to_i32(h, unbox32(h.f[rs1]), rm)
    dirty_fp(h)


@insn("1100000 00001 rs1 rm rd 1010011", "fcvt.wu.s {rd}, {rs1:f}, {rm}")
def fcvt_wu_s(h: Hart, rd: int, rs1: int, rm: int) -> None:
    """An unsigned word, sign-extended to 64 bits, from a single."""
    h.x[rd] = s32(f32_to_u32(h, unbox32(h.f[rs1]), rm))
    dirty_fp(h)


@insn("1100000 00010 rs1 rm rd 1010011", "fcvt.l.s {rd}, {rs1:f}, {rm}")
def fcvt_l_s(h: Hart, rd: int, rs1: int, rm: int) -> None:
    """A signed 64-bit integer from a single."""
    h.x[rd] = f32_to_i64(h, unbox32(h.f[rs1]), rm)
    dirty_fp(h)


@insn("1100000 00011 rs1 rm rd 1010011", "fcvt.lu.s {rd}, {rs1:f}, {rm}")
def fcvt_lu_s(h: Hart, rd: int, rs1: int, rm: int) -> None:
    """An unsigned 64-bit integer from a single."""
    h.x[rd] = f32_to_u64(h, unbox32(h.f[rs1]), rm)
    dirty_fp(h)


@insn("1101000 00000 rs1 rm rd 1010011", "fcvt.s.w {rd:f}, {rs1}, {rm}")
def fcvt_s_w(h: Hart, rd: int, rs1: int, rm: int) -> None:
    """A single from a signed word."""
    h.f[rd] = box32(i64_to_f32(h, s32(h.x[rs1]), rm))
    dirty_fp(h)


@insn("1101000 00001 rs1 rm rd 1010011", "fcvt.s.wu {rd:f}, {rs1}, {rm}")
def fcvt_s_wu(h: Hart, rd: int, rs1: int, rm: int) -> None:
    """A single from an unsigned word."""
    h.f[rd] = box32(u64_to_f32(h, u32(h.x[rs1]), rm))
    dirty_fp(h)


@insn("1101000 00010 rs1 rm rd 1010011", "fcvt.s.l {rd:f}, {rs1}, {rm}")
def fcvt_s_l(h: Hart, rd: int, rs1: int, rm: int) -> None:
    """A single from a signed 64-bit integer."""
    h.f[rd] = box32(i64_to_f32(h, s64(h.x[rs1]), rm))
    dirty_fp(h)


@insn("1101000 00011 rs1 rm rd 1010011", "fcvt.s.lu {rd:f}, {rs1}, {rm}")
def fcvt_s_lu(h: Hart, rd: int, rs1: int, rm: int) -> None:
    """A single from an unsigned 64-bit integer."""
    h.f[rd] = box32(u64_to_f32(h, h.x[rs1], rm))
    dirty_fp(h)


@insn("1110000 00000 rs1 000 rd 1010011", "fmv.x.w {rd}, {rs1:f}")
def fmv_x_w(h: Hart, rd: int, rs1: int) -> None:
    """The low 32 bits of rs1, sign-extended."""
    require_fp(h)
    h.x[rd] = s32(h.f[rs1])


@insn("1111000 00000 rs1 000 rd 1010011", "fmv.w.x {rd:f}, {rs1}")
def fmv_w_x(h: Hart, rd: int, rs1: int) -> None:
    """The low 32 bits of rs1 as a single."""
    require_fp(h)
    h.f[rd] = box32(u32(h.x[rs1]))
    dirty_fp(h)
