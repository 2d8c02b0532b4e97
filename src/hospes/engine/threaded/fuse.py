"""Fused handlers: two instructions that often follow each other, executed by one handler.

The first one's op gets the fused handler once the second one's op is decoded. Each still reads its
operands from its own op, so nothing changes for a jump to the second. Where the second reads a
register that the first has written, a variant of its own passes the value on in a host register
instead of through memory, which is most of the gain (`bench/`, rows alu and boot).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hospes.base.errors import HospesError
from hospes.compiler.emitter import Emitter, Value
from hospes.compiler.lower import MAX_PASSES, Lowering
from hospes.compiler.module import Module
from hospes.compiler.subset import source_of
from hospes.compiler.width import Interval
from hospes.engine.threaded.calls import define_handler
from hospes.engine.threaded.handlers import Handler, Kind
from hospes.engine.threaded.ops import Operation, Symbols
from hospes.engine.threaded.pairs import PAIRS
from hospes.engine.threaded.state import OP_BYTES, OP_FUSE, OP_RD, OP_RS1, OP_RS2

FORWARDED: Final = ((), ("rs1",), ("rs2",), ("rs1", "rs2"))
"""The operands of the second that are the first one's rd, by the two bits of comparing them."""
IDS_MAX: Final = 255

Member = tuple[str, int]
"""An operation's name and an instruction length."""
Fused = dict[tuple[Member, Member], dict[tuple[str, ...], str]]
"""Symbols of the fused handlers by pair and forwarded operands."""


@dataclass(frozen=True)
class Pair:
    """Two instructions in a row, and which operands of the second the first one's rd is."""

    first: Member
    second: Member
    forwarded: tuple[str, ...]


def pairs_of(text: str) -> list[Pair]:
    """Read lines such as `slli.4 add.2 rs1`."""
    pairs = []
    for line in text.split("\n"):
        if line:
            first, second, *forwarded = line.split()
            pairs.append(Pair(_member(first), _member(second), tuple(forwarded)))
    return pairs


def _member(text: str) -> Member:
    name, _, length = text.partition(".")
    return name, int(length)


class Fusion:
    """The fused handlers of an engine, and the table by which the decoder finds them.

    Members are numbered, 2-byte ones first; 0 is no member. An op holds its member's number.
    """

    def __init__(self, operations: list[Operation], symbols: Symbols, pairs: list[Pair]) -> None:
        self._symbols = symbols
        self._operations = {operation.name: operation for operation in operations}
        self._pairs = pairs
        members = {member for pair in pairs for member in (pair.first, pair.second)}
        ordered = sorted(members, key=lambda member: (member[1], member[0]))
        if len(ordered) > IDS_MAX:
            raise HospesError(f"{len(ordered)} kinds of instruction are fused; {IDS_MAX} can be")
        self.ids = {member: number for number, member in enumerate(ordered, start=1)}
        self._narrow = sum(length == 2 for _, length in ordered)

    def identity(self, name: str, length: int) -> int:
        """The number of an operation's instructions of that length, or 0."""
        return self.ids.get((name, length), 0)

    def compile(self, module: Module) -> str:
        """Define every fused handler; returns the IR of the table and of `fuse`."""
        fused: Fused = {}
        for pair in self._pairs:
            symbol = self._compile_pair(module, pair)
            fused.setdefault((pair.first, pair.second), {})[pair.forwarded] = symbol
        return self._table(fused) + self._fuse()

    def _compile_pair(self, module: Module, pair: Pair) -> str:
        name = "+".join([*(f"{name}.{length}" for name, length in (pair.first, pair.second)),
                         *pair.forwarded])  # fmt: skip
        known: tuple[dict[str, Interval], dict[str, Interval]] = ({}, {})
        for number in range(MAX_PASSES):
            emitter = Emitter()
            lowerings = self._lower(module, pair, emitter, known, widen=number >= 2)
            if not any(lowering.shared.changed for lowering in lowerings):
                break
        module.define(name, define_handler(name, emitter.body()))
        return name

    def _lower(
        self,
        module: Module,
        pair: Pair,
        emitter: Emitter,
        known: tuple[dict[str, Interval], dict[str, Interval]],
        *,
        widen: bool,
    ) -> list[Lowering]:
        """Both instructions, one after the other, into one function."""
        first, second = (self._operations[name] for name, _ in (pair.first, pair.second))
        head = Handler(first, pair.first[1], Kind.FAST, near=False, emitter=emitter)
        head.following = emitter.name("second")
        operands = {slot.name: head.operand(slot) for slot in first.slots}
        lowering = Lowering(
            module, source_of(first.function), head, operands, known[0], widen=widen
        )
        lowering.run()
        emitter.place(head.following)
        length = pair.second[1]
        near = (length, True) in self._symbols[second.name]
        rest = Handler(second, length, Kind.FAST, near=near, emitter=emitter)
        rest.op = emitter.address("%op", pair.first[1] // 2 * OP_BYTES)
        rest.budget = emitter.temp("sub i64 %budget, 1")
        more = {slot.name: rest.operand(slot) for slot in second.slots}
        for slot in second.slots:
            if slot.name in pair.forwarded:
                more[slot.name] = Value(operands["rd"].ref, slot.interval)
        following = Lowering(module, source_of(second.function), rest, more, known[1], widen=widen)
        following.run()
        return [lowering, following]

    def _table(self, fused: Fused) -> str:
        """`fuse_numbers`, a matrix of record numbers by two members, and `fuse_records`."""
        width = len(self.ids) + 1
        matrix = [0] * (width * width)
        records = ["{ ptr null, ptr null, ptr null, ptr null }"]
        for (first, second), symbols in fused.items():
            matrix[self.ids[first] * width + self.ids[second]] = len(records)
            chosen = [self._choose(first, second, symbols, equal) for equal in range(4)]
            records.append("{ " + ", ".join(f"ptr {symbol}" for symbol in chosen) + " }")
        numbers = ", ".join(f"i16 {number}" for number in matrix)
        kind = "{ ptr, ptr, ptr, ptr }"
        listed = ",\n".join(f"  {kind} {record}" for record in records)
        return (
            f"@fuse_numbers = internal constant [{len(matrix)} x i16] [{numbers}]\n"
            f"@fuse_records = internal constant [{len(records)} x {kind}] [\n{listed}\n]\n"
        )

    def _choose(
        self, first: Member, second: Member, symbols: dict[tuple[str, ...], str], equal: int
    ) -> str:
        """The best handler when so the bytes of rs1 and rs2 equal that of rd."""
        slots = {slot.name for slot in self._operations[second[0]].slots}
        writes = any(slot.name == "rd" for slot in self._operations[first[0]].slots)
        meant = [name for name in FORWARDED[equal] if writes and name in slots]
        for candidate in (tuple(meant), *((name,) for name in meant), ()):
            if candidate in symbols:
                return f'@"{symbols[candidate]}"'
        return "null"

    def _fuse(self) -> str:
        """`fuse(op, following, wide)`: give an op the fused handler of it and the next, if any."""
        emitter = Emitter()
        numbers = []
        for pointer in ("%op", "%following"):
            emitter.emit(f"{pointer}.p = inttoptr i64 {pointer} to ptr")
            loaded = emitter.temp(f"load i8, ptr {emitter.address(f'{pointer}.p', OP_FUSE)}")
            numbers.append(emitter.temp(f"zext i8 {loaded} to i64"))
        is_wide = emitter.temp(f"icmp ugt i64 {numbers[0]}, {self._narrow}")
        right = emitter.test(f"icmp eq i1 {is_wide}, %wide")
        emitter.branch(right, "lookup", "none")
        emitter.place("lookup")
        row = emitter.temp(f"mul i64 {numbers[0]}, {len(self.ids) + 1}")
        place = emitter.temp(f"shl i64 {emitter.temp(f'add i64 {row}, {numbers[1]}')}, 1")
        number = emitter.temp(f"load i16, ptr {emitter.address('@fuse_numbers', place)}")
        record = emitter.temp(f"shl i64 {emitter.temp(f'zext i16 {number} to i64')}, 5")
        written = emitter.temp(f"load i8, ptr {emitter.address('%op.p', OP_RD)}")
        choice = "0"
        for offset, bit in ((OP_RS1, 8), (OP_RS2, 16)):
            read = emitter.temp(f"load i8, ptr {emitter.address('%following.p', offset)}")
            same = emitter.temp(f"icmp eq i8 {read}, {written}")
            choice = emitter.temp(
                f"or i64 {choice}, {emitter.temp(f'select i1 {same}, i64 {bit}, i64 0')}"
            )
        entry = emitter.address("@fuse_records", emitter.temp(f"or i64 {record}, {choice}"))
        handler = emitter.temp(f"load ptr, ptr {entry}")
        emitter.branch(emitter.test(f"icmp eq ptr {handler}, null"), "none", "found")
        emitter.place("found")
        emitter.emit(f"store ptr {handler}, ptr %op.p")
        emitter.goto("none")
        emitter.place("none")
        emitter.terminate("ret void")
        return (
            "define internal void @fuse(i64 %op, i64 %following, i1 %wide) nounwind {\n"
            f"{emitter.body()}\n}}\n"
        )


def fusion_of(operations: list[Operation], symbols: Symbols) -> Fusion:
    """The fusion of the pairs that were measured to be frequent."""
    return Fusion(operations, symbols, pairs_of(PAIRS))
