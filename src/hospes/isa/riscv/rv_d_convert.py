"""D: double-precision conversions, moves, comparisons and classes."""

from hospes.base.bits import s32, s64, u32
from hospes.isa.insn import insn
from hospes.isa.riscv.fp import (
    exact_to_f64,
    f32_to_f64,
    f64_eq,
    f64_le,
    f64_lt,
    f64_to_f32,
    i64_to_f64,
    u64_to_f64,
)
from hospes.isa.riscv.fp_bits import box32, dirty_fp, f64_class, require_fp, rounding_mode, unbox32
from hospes.isa.riscv.fp_convert import f64_to_i32, f64_to_i64, f64_to_u32, f64_to_u64
from hospes.isa.riscv.hart import Hart


@insn("1010001 rs2 rs1 010 rd 1010011", "feq.d {rd}, {rs1:f}, {rs2:f}")
def feq_d(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """1 if rs1 == rs2; a quiet comparison."""
    require_fp(h)
    h.x[rd] = f64_eq(h, h.f[rs1], h.f[rs2])
    dirty_fp(h)


@insn("1010001 rs2 rs1 001 rd 1010011", "flt.d {rd}, {rs1:f}, {rs2:f}")
def flt_d(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """1 if rs1 < rs2; a signalling comparison."""
    require_fp(h)
    h.x[rd] = f64_lt(h, h.f[rs1], h.f[rs2])
    dirty_fp(h)


@insn("1010001 rs2 rs1 000 rd 1010011", "fle.d {rd}, {rs1:f}, {rs2:f}")
def fle_d(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """1 if rs1 <= rs2; a signalling comparison."""
    require_fp(h)
    h.x[rd] = f64_le(h, h.f[rs1], h.f[rs2])
    dirty_fp(h)


@insn("1110001 00000 rs1 001 rd 1010011", "fclass.d {rd}, {rs1:f}")
def fclass_d(h: Hart, rd: int, rs1: int) -> None:
    """The class of rs1 as a one-hot mask."""
    require_fp(h)
    h.x[rd] = f64_class(h.f[rs1])


@insn("1100001 00000 rs1 rm rd 1010011", "fcvt.w.d {rd}, {rs1:f}, {rm}")
def fcvt_w_d(h: Hart, rd: int, rs1: int, rm: int) -> None:
    """A signed word from a double."""
    h.x[rd] = f64_to_i32(h, h.f[rs1], rm)
    dirty_fp(h)


@insn("1100001 00001 rs1 rm rd 1010011", "fcvt.wu.d {rd}, {rs1:f}, {rm}")
def fcvt_wu_d(h: Hart, rd: int, rs1: int, rm: int) -> None:
    """An unsigned word, sign-extended to 64 bits, from a double."""
    h.x[rd] = s32(f64_to_u32(h, h.f[rs1], rm))
    dirty_fp(h)


@insn("1100001 00010 rs1 rm rd 1010011", "fcvt.l.d {rd}, {rs1:f}, {rm}")
def fcvt_l_d(h: Hart, rd: int, rs1: int, rm: int) -> None:
    """A signed 64-bit integer from a double."""
    h.x[rd] = f64_to_i64(h, h.f[rs1], rm)
    dirty_fp(h)


@insn("1100001 00011 rs1 rm rd 1010011", "fcvt.lu.d {rd}, {rs1:f}, {rm}")
def fcvt_lu_d(h: Hart, rd: int, rs1: int, rm: int) -> None:
    """An unsigned 64-bit integer from a double."""
    h.x[rd] = f64_to_u64(h, h.f[rs1], rm)
    dirty_fp(h)


@insn("1101001 00000 rs1 rm rd 1010011", "fcvt.d.w {rd:f}, {rs1}, {rm:exact}")
def fcvt_d_w(h: Hart, rd: int, rs1: int, rm: int) -> None:
    """A double from a signed word."""
    rounding_mode(h, rm)
    h.f[rd] = exact_to_f64(s32(h.x[rs1]))
    dirty_fp(h)


@insn("1101001 00001 rs1 rm rd 1010011", "fcvt.d.wu {rd:f}, {rs1}, {rm:exact}")
def fcvt_d_wu(h: Hart, rd: int, rs1: int, rm: int) -> None:
    """A double from an unsigned word."""
    rounding_mode(h, rm)
    h.f[rd] = exact_to_f64(u32(h.x[rs1]))
    dirty_fp(h)


@insn("1101001 00010 rs1 rm rd 1010011", "fcvt.d.l {rd:f}, {rs1}, {rm}")
def fcvt_d_l(h: Hart, rd: int, rs1: int, rm: int) -> None:
    """A double from a signed 64-bit integer."""
    h.f[rd] = i64_to_f64(h, s64(h.x[rs1]), rm)
    dirty_fp(h)


@insn("1101001 00011 rs1 rm rd 1010011", "fcvt.d.lu {rd:f}, {rs1}, {rm}")
def fcvt_d_lu(h: Hart, rd: int, rs1: int, rm: int) -> None:
    """A double from an unsigned 64-bit integer."""
    h.f[rd] = u64_to_f64(h, h.x[rs1], rm)
    dirty_fp(h)


@insn("1110001 00000 rs1 000 rd 1010011", "fmv.x.d {rd}, {rs1:f}")
def fmv_x_d(h: Hart, rd: int, rs1: int) -> None:
    """The bits of rs1."""
    require_fp(h)
    h.x[rd] = h.f[rs1]


@insn("1111001 00000 rs1 000 rd 1010011", "fmv.d.x {rd:f}, {rs1}")
def fmv_d_x(h: Hart, rd: int, rs1: int) -> None:
    """The bits of rs1 as a double."""
    require_fp(h)
    h.f[rd] = h.x[rs1]
    dirty_fp(h)


@insn("0100000 00001 rs1 rm rd 1010011", "fcvt.s.d {rd:f}, {rs1:f}, {rm}")
def fcvt_s_d(h: Hart, rd: int, rs1: int, rm: int) -> None:
    """A double rounded to a single."""
    h.f[rd] = box32(f64_to_f32(h, h.f[rs1], rm))
    dirty_fp(h)


@insn("0100001 00000 rs1 rm rd 1010011", "fcvt.d.s {rd:f}, {rs1:f}, {rm:exact}")
def fcvt_d_s(h: Hart, rd: int, rs1: int, rm: int) -> None:
    """A single as a double; never rounds, but a reserved rm is illegal all the same."""
    rounding_mode(h, rm)
    h.f[rd] = f32_to_f64(h, unbox32(h.f[rs1]))
    dirty_fp(h)
