"""Ops: where an instruction's operands lie, and how the native decoder fills them in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hospes.compiler.width import Interval
from hospes.engine.threaded.state import OP_IMM, OP_RD, OP_RS1, OP_RS2, OP_RS3
from hospes.isa.insn import Insn, Semantics
from hospes.isa.pattern import Field
from hospes.isa.riscv.csr import CSR_NUMBERS
from hospes.isa.riscv.hart import SINK

FREQUENT_CSRS = (
    "sscratch", "sstatus", "sepc", "scause", "stval", "satp", "sie", "sip", "stimecmp",
    "time", "cycle", "instret", "fflags", "frm", "fcsr",
    "mscratch", "mstatus", "mepc", "mcause", "mtval",
)  # fmt: skip
"""What programs, a supervisor and firmware access all the time."""

REGISTER_BYTES = {"rd": OP_RD, "rs1": OP_RS1, "rs2": OP_RS2, "rs3": OP_RS3}

Symbols = dict[str, dict[tuple[int, bool], str]]
"""Handler symbols of each operation by (length, near)."""


@dataclass(frozen=True)
class Slot:
    """Where an op holds one operand: a byte offset, 1 or 4 bytes, and the operand's interval."""

    name: str
    offset: int
    size_bytes: int
    interval: Interval


@dataclass(frozen=True)
class Operation:
    """A semantic function with all encodings that lead to it and the slots of its operands."""

    function: Semantics
    insns: tuple[Insn, ...]
    slots: tuple[Slot, ...]
    serial: bool
    csr: str = ""

    @property
    def name(self) -> str:
        """The function's name, and the CSR it is made for if there is one."""
        return f"{self.function.__name__}.{self.csr}" if self.csr else self.function.__name__

    @property
    def lengths(self) -> tuple[int, ...]:
        """The instruction lengths in use, in bytes."""
        return tuple(sorted({made.length for made in self.insns}))


def csr_operations(insns: tuple[Insn, ...]) -> list[Operation]:
    """Operations of their own for accesses to frequent CSRs: number and checks become constants."""
    made = []
    for general in insns:
        if any(operand.name == "csr" for operand in general.operands):
            made += [_for_csr(general, name) for name in FREQUENT_CSRS]
    return made


def _for_csr(general: Insn, name: str) -> Operation:
    number, field = CSR_NUMBERS[name], general.field("csr")
    operands = tuple(
        operand._replace(source=number) if operand.name == "csr" else operand
        for operand in general.operands
    )
    special = replace(
        general,
        mask=general.mask | field.mask,
        match=general.match | field.insert_raw(number),
        operands=operands,
    )
    return Operation(general.function, (special,), _slots([special]), general.serial, name)


def operations_of(insns: tuple[Insn, ...]) -> list[Operation]:
    """The operations behind a list of encodings."""
    groups: dict[Semantics, list[Insn]] = {}
    for made in insns:
        groups.setdefault(made.function, []).append(made)
    return [
        Operation(function, tuple(group), _slots(group), group[0].serial)
        for function, group in groups.items()
    ]


def _slots(insns: list[Insn]) -> tuple[Slot, ...]:
    """Registers have a byte each; the first other operand is the immediate, more take bytes.

    Beside rs3, which lies in the immediate's bytes, there is one byte for the rounding mode.
    """
    names = [operand.name for operand in insns[0].operands]
    places = {name: (REGISTER_BYTES[name], 1) for name in names if name in REGISTER_BYTES}
    free = [place for place in (OP_RS1, OP_RS2, OP_RD) if (place, 1) not in places.values()]
    wide = [(OP_IMM, 1 if "rs3" in places else 4)]
    for name in sorted(set(names) - set(places), key=lambda name: -_interval(name, insns).hi):
        places[name] = wide.pop() if wide else (free.pop(0), 1)
    return tuple(Slot(name, *places[name], _interval(name, insns)) for name in names)


def _interval(name: str, insns: list[Insn]) -> Interval:
    """All values the operand can have, over every encoding."""
    intervals = []
    for made in insns:
        source = dict(made.operands)[name]
        if isinstance(source, int):
            intervals.append(Interval(source, source))
        else:
            intervals.append(_field_interval(source))
            if name == "rd" and made.integer_destination:
                intervals.append(Interval(SINK, SINK))
    joined = intervals[0]
    for interval in intervals[1:]:
        joined = joined.join(interval)
    return joined


def _field_interval(field: Field) -> Interval:
    if field.signed:
        return Interval(-(1 << (field.width - 1)), (1 << (field.width - 1)) - 1)
    return Interval(field.add, field.add + (1 << field.width) - 1)
