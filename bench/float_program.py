"""A Linux program that computes in floating point: part of the Mandelbrot set, in doubles."""

from typing import Final

from bench.executable import executable

SOURCE: Final = """
    .equ EDGE, 384
    .equ LIMIT, 200
    li s2, 0
    li t0, 3
    fcvt.d.l fs0, t0
    li t0, EDGE
    fcvt.d.l fs1, t0
    fdiv.d fs0, fs0, fs1        # step between points
    li t0, 4
    fcvt.d.l fs1, t0            # square of the radius of escape
    li t0, -2
    fcvt.d.l fs2, t0            # left edge
    li t0, 2
    fcvt.d.l fs4, t0
    li t0, 3
    fcvt.d.l fs3, t0
    fdiv.d fs3, fs3, fs4
    fneg.d fs3, fs3             # lower edge
    li s0, 0
row:
    fcvt.d.l fa1, s0
    fmadd.d fa1, fa1, fs0, fs3
    li s1, 0
column:
    fcvt.d.l fa0, s1
    fmadd.d fa0, fa0, fs0, fs2
    fmv.d fa2, fa0
    fmv.d fa3, fa1
    li t0, LIMIT
point:
    fmul.d fa4, fa2, fa2
    fmul.d fa5, fa3, fa3
    fadd.d fa6, fa4, fa5
    flt.d t1, fs1, fa6
    bnez t1, escaped
    fmul.d fa3, fa2, fa3
    fmadd.d fa3, fa3, fs4, fa1
    fsub.d fa2, fa4, fa5
    fadd.d fa2, fa2, fa0
    addi t0, t0, -1
    bnez t0, point
escaped:
    add s2, s2, t0
    addi s1, s1, 1
    li t1, EDGE
    bne s1, t1, column
    addi s0, s0, 1
    bne s0, t1, row
    snez a0, s2
    xori a0, a0, 1              # exit code 0 if some point escaped
    li a7, 93
    ecall
"""


def float_program() -> bytes:
    """The ELF executable."""
    return executable(SOURCE)
