"""D: double-precision loads, stores and arithmetic (Unprivileged ISA, chapter "D")."""

from hospes.base.bits import u64
from hospes.isa.insn import insn
from hospes.isa.riscv.fp import f64_add, f64_div, f64_fma, f64_mul, f64_sqrt, f64_sub
from hospes.isa.riscv.fp_bits import SIGN64, dirty_fp, f64_max, f64_min, require_fp
from hospes.isa.riscv.hart import Hart
from hospes.isa.subset import load64, store64


@insn("imm[11:0] rs1 011 rd 0000111", "fld {rd:f}, {imm}({rs1})")
def fld(h: Hart, rd: int, rs1: int, imm: int) -> None:
    """Load a double."""
    require_fp(h)
    h.f[rd] = load64(h, u64(h.x[rs1] + imm))
    dirty_fp(h)


@insn("imm[11:5] rs2 rs1 011 imm[4:0] 0100111", "fsd {rs2:f}, {imm}({rs1})")
def fsd(h: Hart, rs1: int, rs2: int, imm: int) -> None:
    """Store a double."""
    require_fp(h)
    store64(h, u64(h.x[rs1] + imm), h.f[rs2])


@insn("0000001 rs2 rs1 rm rd 1010011", "fadd.d {rd:f}, {rs1:f}, {rs2:f}, {rm}")
def fadd_d(h: Hart, rd: int, rs1: int, rs2: int, rm: int) -> None:
    """rs1 + rs2."""
    h.f[rd] = f64_add(h, h.f[rs1], h.f[rs2], rm)
    dirty_fp(h)


@insn("0000101 rs2 rs1 rm rd 1010011", "fsub.d {rd:f}, {rs1:f}, {rs2:f}, {rm}")
def fsub_d(h: Hart, rd: int, rs1: int, rs2: int, rm: int) -> None:
    """rs1 - rs2."""
    h.f[rd] = f64_sub(h, h.f[rs1], h.f[rs2], rm)
    dirty_fp(h)


@insn("0001001 rs2 rs1 rm rd 1010011", "fmul.d {rd:f}, {rs1:f}, {rs2:f}, {rm}")
def fmul_d(h: Hart, rd: int, rs1: int, rs2: int, rm: int) -> None:
    """rs1 * rs2."""
    h.f[rd] = f64_mul(h, h.f[rs1], h.f[rs2], rm)
    dirty_fp(h)


@insn("0001101 rs2 rs1 rm rd 1010011", "fdiv.d {rd:f}, {rs1:f}, {rs2:f}, {rm}")
def fdiv_d(h: Hart, rd: int, rs1: int, rs2: int, rm: int) -> None:
    """rs1 / rs2."""
    h.f[rd] = f64_div(h, h.f[rs1], h.f[rs2], rm)
    dirty_fp(h)


@insn("0101101 00000 rs1 rm rd 1010011", "fsqrt.d {rd:f}, {rs1:f}, {rm}")
def fsqrt_d(h: Hart, rd: int, rs1: int, rm: int) -> None:
    """The square root of rs1."""
    h.f[rd] = f64_sqrt(h, h.f[rs1], rm)
    dirty_fp(h)


@insn("rs3 01 rs2 rs1 rm rd 1000011", "fmadd.d {rd:f}, {rs1:f}, {rs2:f}, {rs3:f}, {rm}")
def fmadd_d(h: Hart, rd: int, rs1: int, rs2: int, rs3: int, rm: int) -> None:
    """rs1 * rs2 + rs3, rounded once."""
    a = h.f[rs1]
    c = h.f[rs3]
    h.f[rd] = f64_fma(h, a, h.f[rs2], c, rm)
    dirty_fp(h)


@insn("rs3 01 rs2 rs1 rm rd 1000111", "fmsub.d {rd:f}, {rs1:f}, {rs2:f}, {rs3:f}, {rm}")
def fmsub_d(h: Hart, rd: int, rs1: int, rs2: int, rs3: int, rm: int) -> None:
    """rs1 * rs2 - rs3, rounded once."""
    a = h.f[rs1]
    c = h.f[rs3] ^ SIGN64
    h.f[rd] = f64_fma(h, a, h.f[rs2], c, rm)
    dirty_fp(h)


@insn("rs3 01 rs2 rs1 rm rd 1001011", "fnmsub.d {rd:f}, {rs1:f}, {rs2:f}, {rs3:f}, {rm}")
def fnmsub_d(h: Hart, rd: int, rs1: int, rs2: int, rs3: int, rm: int) -> None:
    """-(rs1 * rs2) + rs3, rounded once."""
    a = h.f[rs1] ^ SIGN64
    c = h.f[rs3]
    h.f[rd] = f64_fma(h, a, h.f[rs2], c, rm)
    dirty_fp(h)


@insn("rs3 01 rs2 rs1 rm rd 1001111", "fnmadd.d {rd:f}, {rs1:f}, {rs2:f}, {rs3:f}, {rm}")
def fnmadd_d(h: Hart, rd: int, rs1: int, rs2: int, rs3: int, rm: int) -> None:
    """-(rs1 * rs2) - rs3, rounded once."""
    a = h.f[rs1] ^ SIGN64
    c = h.f[rs3] ^ SIGN64
    h.f[rd] = f64_fma(h, a, h.f[rs2], c, rm)
    dirty_fp(h)


@insn("0010001 rs2 rs1 000 rd 1010011", "fsgnj.d {rd:f}, {rs1:f}, {rs2:f}")
def fsgnj_d(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """rs1 with the sign of rs2."""
    require_fp(h)
    h.f[rd] = (h.f[rs1] & (SIGN64 - 1)) | (h.f[rs2] & SIGN64)
    dirty_fp(h)


@insn("0010001 rs2 rs1 001 rd 1010011", "fsgnjn.d {rd:f}, {rs1:f}, {rs2:f}")
def fsgnjn_d(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """rs1 with the opposite of the sign of rs2."""
    require_fp(h)
    h.f[rd] = (h.f[rs1] & (SIGN64 - 1)) | (~h.f[rs2] & SIGN64)
    dirty_fp(h)


@insn("0010001 rs2 rs1 010 rd 1010011", "fsgnjx.d {rd:f}, {rs1:f}, {rs2:f}")
def fsgnjx_d(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """rs1 with its sign flipped if rs2 is negative."""
    require_fp(h)
    h.f[rd] = h.f[rs1] ^ (h.f[rs2] & SIGN64)
    dirty_fp(h)


@insn("0010101 rs2 rs1 000 rd 1010011", "fmin.d {rd:f}, {rs1:f}, {rs2:f}")
def fmin_d(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """The lesser of rs1 and rs2; a number rather than a NaN."""
    require_fp(h)
    h.f[rd] = f64_min(h, h.f[rs1], h.f[rs2])
    dirty_fp(h)


@insn("0010101 rs2 rs1 001 rd 1010011", "fmax.d {rd:f}, {rs1:f}, {rs2:f}")
def fmax_d(h: Hart, rd: int, rs1: int, rs2: int) -> None:
    """The greater of rs1 and rs2; a number rather than a NaN."""
    require_fp(h)
    h.f[rd] = f64_max(h, h.f[rs1], h.f[rs2])
    dirty_fp(h)
