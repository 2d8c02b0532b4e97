"""One floating-point instruction run on a hart of the test's own, and operands worth trying."""

from random import Random
from typing import NamedTuple

from tests.base.host_float import operands

from hospes.base.ieee import BINARY32, BINARY64
from hospes.isa.insn import Insn
from hospes.isa.riscv import rv_d, rv_d_convert, rv_f, rv_f_convert
from hospes.isa.riscv.fp_bits import BOX
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.profile import RV64

ARITHMETIC = tuple(
    made
    for module in (rv_f, rv_f_convert, rv_d, rv_d_convert)
    for made in RV64.insns
    if made.function.__module__ == module.__name__
    and made.length == 4
    and made.name not in ("flw", "fsw", "fld", "fsd")
)
RD, RS1, RS2, RS3 = 10, 11, 12, 13


class Inputs(NamedTuple):
    """What an instruction reads: f11 to f13, x11, frm and the flags raised before."""

    f: tuple[int, int, int]
    x: int
    frm: int = 0
    fflags: int = 0


class Outputs(NamedTuple):
    """What an instruction leaves: f10, x10, fflags, FS."""

    f: int
    x: int
    fflags: int
    fs: int


def hart(inputs: Inputs, fs: int = 1) -> Hart:
    """A hart about to run an instruction."""
    h = Hart()
    for number, bits in zip((RS1, RS2, RS3), inputs.f, strict=True):
        h.f[number] = bits
    h.x[RS1] = inputs.x
    h.frm, h.fflags, h.fs = inputs.frm, inputs.fflags, fs
    return h


def insn_named(name: str) -> Insn:
    """The instruction of that mnemonic."""
    (made,) = RV64.by_name[name]
    return made


def word_of(made: Insn, rm: int = 7) -> int:
    """The instruction on registers 10 to 13."""
    registers = {"rd": RD, "rs1": RS1, "rs2": RS2, "rs3": RS3, "rm": rm}
    names = {field.name for field in made.fields}
    return made.encode({name: value for name, value in registers.items() if name in names})


def run(made: Insn, inputs: Inputs, rm: int = 7, fs: int = 1) -> Outputs:
    """Decode and run one instruction; Illegal is the caller's."""
    h = hart(inputs, fs)
    decoded = RV64.decode(word_of(made, rm))
    assert decoded is not None
    assert decoded.insn is made
    decoded.insn.function(h, *decoded.operands)
    return Outputs(h.f[RD], h.x[RD], h.fflags, h.fs)


def inputs_for(made: Insn, seed: int, count: int) -> list[Inputs]:
    """Random and edge operands that suit an instruction: boxed singles, doubles, integers."""
    random = Random(f"{made.name} {seed}")
    singles = made.name.endswith(".s")
    f = BINARY32 if singles else BINARY64
    columns = [operands(f, random.getrandbits(32), count) for _ in range(3)]
    chosen = []
    for row in zip(*columns, strict=True):
        boxed = tuple(bits | BOX if singles else bits for bits in row)
        x = random.choice((random.getrandbits(64), (1 << 64) - 1 - random.getrandbits(40)))
        x = x >> random.randrange(64) if random.getrandbits(1) else x
        frm = random.randrange(8 if random.randrange(16) == 0 else 5)
        case = Inputs((boxed[0], boxed[1], boxed[2]), x, frm)
        chosen.append(case._replace(fflags=random.choice((0, 0, random.getrandbits(5)))))
    return chosen
