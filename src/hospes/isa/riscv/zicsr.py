"""Zicsr: the instructions that read and write CSRs."""

from hospes.isa.insn import insn
from hospes.isa.riscv.csr import LEGAL, MIP, csr_read, csr_write
from hospes.isa.riscv.encoding import SEI
from hospes.isa.riscv.hart import SINK, Hart
from hospes.isa.subset import Illegal, inline


@inline
def exchange(h: Hart, rd: int, csr: int, value: int) -> None:
    """Write value; the old one goes to rd, and is not even read when rd is x0."""
    old = 0
    if rd != SINK:
        if csr_read(h, csr) != LEGAL:
            raise Illegal()
        old = h.csr_value
    if csr_write(h, csr, value) != LEGAL:
        raise Illegal()
    h.x[rd] = old


@inline
def modify(h: Hart, rd: int, csr: int, set_bits: int, clear_bits: int, writes: int) -> None:
    """Set or clear bits, or only read; the external interrupt line is no part of the mip.SEIP that
    is written back (Privileged ISA, 3.1.9)."""
    if csr_read(h, csr) != LEGAL:
        raise Illegal()
    old = h.csr_value
    if writes != 0:
        base = old
        if csr == MIP:
            base = (old & ~SEI) | (h.mip & SEI)
        if csr_write(h, csr, (base & ~clear_bits) | set_bits) != LEGAL:
            raise Illegal()
    h.x[rd] = old


@insn("csr rs1 001 rd 1110011", "csrrw {rd}, {csr}, {rs1}", serial=True)
def csrrw(h: Hart, rd: int, csr: int, rs1: int) -> None:
    """Swap a CSR with a register."""
    exchange(h, rd, csr, h.x[rs1])


@insn("csr rs1 010 rd 1110011", "csrrs {rd}, {csr}, {rs1}", serial=True)
def csrrs(h: Hart, rd: int, csr: int, rs1: int) -> None:
    """Read a CSR and set the bits of a register in it; only read it for x0."""
    modify(h, rd, csr, h.x[rs1], 0, rs1)


@insn("csr rs1 011 rd 1110011", "csrrc {rd}, {csr}, {rs1}", serial=True)
def csrrc(h: Hart, rd: int, csr: int, rs1: int) -> None:
    """Read a CSR and clear the bits of a register in it; only read it for x0."""
    modify(h, rd, csr, 0, h.x[rs1], rs1)


@insn("csr uimm 101 rd 1110011", "csrrwi {rd}, {csr}, {uimm}", serial=True)
def csrrwi(h: Hart, rd: int, csr: int, uimm: int) -> None:
    """Replace a CSR by a constant of five bits."""
    exchange(h, rd, csr, uimm)


@insn("csr uimm 110 rd 1110011", "csrrsi {rd}, {csr}, {uimm}", serial=True)
def csrrsi(h: Hart, rd: int, csr: int, uimm: int) -> None:
    """Read a CSR and set constant bits in it; only read it for 0."""
    modify(h, rd, csr, uimm, 0, uimm)


@insn("csr uimm 111 rd 1110011", "csrrci {rd}, {csr}, {uimm}", serial=True)
def csrrci(h: Hart, rd: int, csr: int, uimm: int) -> None:
    """Read a CSR and clear constant bits in it; only read it for 0."""
    modify(h, rd, csr, 0, uimm, uimm)
