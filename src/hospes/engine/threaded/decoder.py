"""The native decoder: tables of patterns, and code that fills an op from an instruction word.

Entries are grouped in buckets by opcode and funct3 (for 16-bit words by quadrant and funct3), so
that few have to be tried. An entry holds a mask and the bits under it, up to three exclusions of
the same form (`where … != …`), the numbers of its operand layout and for fuse.py, its handlers.
"""

from __future__ import annotations

from typing import Final

from hospes.compiler.emitter import Emitter
from hospes.engine.threaded.fuse import Fusion
from hospes.engine.threaded.ops import Operation, Slot, Symbols
from hospes.engine.threaded.state import OP_FUSE
from hospes.isa.insn import Insn
from hospes.isa.pattern import Field
from hospes.isa.riscv.hart import SINK

EXCLUSIONS: Final = 3
ENTRY_BYTES: Final = 56
WIDE_BUCKETS: Final = 256
NARROW_BUCKETS: Final = 32
ENTRY_TYPE: Final = "{ i32, i32, [6 x i32], i32, i32, ptr, ptr }"

Layout = tuple[tuple[Slot, Field | int, bool], ...]
"""What each slot is filled with: a field or constant, and whether 0 stands for x0 as a sink."""


def bucket_of(word: int) -> int:
    """The bucket of an instruction word; 32-bit ones come first."""
    if word & 3 == 3:
        return (word >> 2 & 31) | (word >> 12 & 7) << 5
    return WIDE_BUCKETS + ((word & 3) | (word >> 13 & 7) << 2)


def buckets_of(made: Insn) -> list[int]:
    """All buckets in which an encoding's words can lie."""
    places: tuple[int, ...] = (2, 3, 4, 5, 6, 12, 13, 14)
    first = 0b11
    if made.length == 2:
        places, first = (0, 1, 13, 14, 15), 0
    found = set()
    for choice in range(1 << len(places)):
        word = first
        for number, place in enumerate(places):
            word |= (choice >> number & 1) << place
        relevant = made.mask & _bits(places)
        if word & relevant == made.match & relevant and (made.length == 4) == (word & 3 == 3):
            found.add(bucket_of(word))
    return sorted(found)


def _bits(places: tuple[int, ...]) -> int:
    return sum(1 << place for place in places)


class Decoder:
    """Generates `decode_word(h, op, word, offset)`; the first operation that fits counts."""

    def __init__(
        self,
        operations: list[Operation],
        symbols: Symbols,
        fusion: Fusion,
    ) -> None:
        self._fusion = fusion
        self._operation = {made: op for op in operations for made in op.insns}
        self._symbols = symbols
        self._layouts: dict[Layout, int] = {}
        self._buckets: list[list[Insn]] = [[] for _ in range(WIDE_BUCKETS + NARROW_BUCKETS)]
        insns = [made for operation in operations for made in operation.insns]
        for made in sorted(insns, key=lambda made: -len(made.overrides)):
            for bucket in buckets_of(made):
                self._buckets[bucket].append(made)

    def text(self) -> str:
        """Tables and function as LLVM IR."""
        entries: list[str] = []
        starts: list[int] = []
        for bucket in self._buckets:
            starts.append(len(entries))
            entries.extend(self._entry(made) for made in bucket)
        starts.append(len(entries))
        table = ",\n".join(f"  {ENTRY_TYPE} {entry}" for entry in entries)
        places = ", ".join(f"i32 {start}" for start in starts)
        return (
            f"@decode_entries = internal constant [{len(entries)} x {ENTRY_TYPE}] [\n{table}\n]\n"
            f"@decode_starts = internal constant [{len(starts)} x i32] [{places}]\n"
            f"define internal void @decode_word(ptr %h, i64 %op, i64 %word, i64 %offset) "
            f"nounwind noinline cold {{\n{self._body()}\n}}\n"
        )

    def _entry(self, made: Insn) -> str:
        mask, match = made.mask, made.match
        exclusions: list[int] = []
        for name, operator, value in made.where:
            field = made.field(name)
            if operator == "==":
                mask |= field.mask
                match |= field.insert_raw(value)
            else:
                exclusions += [field.mask, field.insert_raw(value)]
        while len(exclusions) < 2 * EXCLUSIONS:
            exclusions += [0, 1]
        operation = self._operation[made]
        symbols = self._symbols[operation.name]
        identity = self._fusion.identity(operation.name, made.length)
        far = symbols[made.length, False]
        near = symbols.get((made.length, True))
        near_ref = f'@"{near}"' if near else "null"
        excluded = ", ".join(f"i32 {number}" for number in exclusions)
        return (
            f"{{ i32 {mask}, i32 {match}, [6 x i32] [{excluded}], "
            f'i32 {self._layout(made, operation)}, i32 {identity}, ptr @"{far}", ptr {near_ref} }}'
        )

    def _layout(self, made: Insn, operation: Operation) -> int:
        sources = dict(made.operands)
        layout = tuple(
            (slot, sources[slot.name], slot.name == "rd" and made.integer_destination)
            for slot in operation.slots
        )
        return self._layouts.setdefault(layout, len(self._layouts))

    def _body(self) -> str:
        emitter = Emitter()
        self._search(emitter)
        cases = " ".join(
            f"i32 {number}, label %layout{number}" for number in self._layouts.values()
        )
        layout = emitter.temp(f"load i32, ptr {emitter.address('%entry', 32)}")
        emitter.terminate(f"switch i32 {layout}, label %filled [ {cases} ]")
        for operands, number in self._layouts.items():
            emitter.place(f"layout{number}")
            for slot, source, sinks in operands:
                _fill(emitter, slot, source, sinks)
            emitter.goto("filled")
        emitter.place("filled")
        _choose_handler(emitter)
        return emitter.body()

    def _search(self, emitter: Emitter) -> None:
        """Find the first entry that fits; `%entry` in block `found`."""
        emitter.emit("%w = trunc i64 %word to i32")
        emitter.emit("%slot = inttoptr i64 %op to ptr")
        bucket = self._bucket_index(emitter)
        start = emitter.address("@decode_starts", emitter.temp(f"shl i64 {bucket}, 2"))
        first = emitter.temp(f"load i32, ptr {start}")
        last = emitter.temp(f"load i32, ptr {emitter.address(start, 4)}")
        for name, ref in (("low", first), ("high", last)):
            wide = emitter.temp(f"zext i32 {ref} to i64")
            scaled = emitter.temp(f"mul i64 {wide}, {ENTRY_BYTES}")
            emitter.emit(f"%{name} = getelementptr i8, ptr @decode_entries, i64 {scaled}")
        emitter.emit("%cursor = alloca ptr")
        emitter.emit("store ptr %low, ptr %cursor")
        emitter.place("next")
        emitter.emit("%entry = load ptr, ptr %cursor")
        emitter.branch(emitter.test("icmp eq ptr %entry, %high"), "unknown", "check")
        emitter.place("check")
        emitter.emit("%following = getelementptr i8, ptr %entry, i64 " + str(ENTRY_BYTES))
        emitter.emit("store ptr %following, ptr %cursor")
        self._check(emitter, 0, equal=True)
        for number in range(EXCLUSIONS):
            self._check(emitter, 8 + 8 * number, equal=False)
        emitter.goto("found")
        emitter.place("unknown")
        emitter.emit("store ptr @illegal, ptr %slot")
        emitter.terminate("ret void")
        emitter.place("found")

    def _check(self, emitter: Emitter, offset: int, *, equal: bool) -> None:
        mask = emitter.temp(f"load i32, ptr {emitter.address('%entry', offset)}")
        match = emitter.temp(f"load i32, ptr {emitter.address('%entry', offset + 4)}")
        masked = emitter.temp(f"and i32 %w, {mask}")
        good = emitter.name("good")
        emitter.branch(
            emitter.test(f"icmp {'eq' if equal else 'ne'} i32 {masked}, {match}"), good, "next"
        )
        emitter.place(good)

    def _bucket_index(self, emitter: Emitter) -> str:
        def part(shift: int, mask: int, left: int) -> str:
            shifted = emitter.temp(f"lshr i64 %word, {shift}")
            masked = emitter.temp(f"and i64 {shifted}, {mask}")
            return emitter.temp(f"shl i64 {masked}, {left}")

        wide = emitter.temp(f"or i64 {part(2, 31, 0)}, {part(12, 7, 5)}")
        narrow = emitter.temp(f"or i64 {part(0, 3, 0)}, {part(13, 7, 2)}")
        narrow = emitter.temp(f"add i64 {narrow}, {WIDE_BUCKETS}")
        low = emitter.temp("and i64 %word, 3")
        is_wide = emitter.temp(f"icmp eq i64 {low}, 3")
        return emitter.temp(f"select i1 {is_wide}, i64 {wide}, i64 {narrow}")


def _fill(emitter: Emitter, slot: Slot, source: Field | int, sinks: bool) -> None:
    """Extract one operand from %w into its slot."""
    kind = f"i{8 * slot.size_bytes}"
    target = emitter.address("%slot", slot.offset)
    if isinstance(source, int):
        emitter.emit(f"store {kind} {source}, ptr {target}")
        return
    value = "0"
    for insn_lo, width, value_lo in source.pieces:
        shifted = emitter.temp(f"lshr i32 %w, {insn_lo}")
        masked = emitter.temp(f"and i32 {shifted}, {(1 << width) - 1}")
        value = emitter.temp(f"or i32 {value}, {emitter.temp(f'shl i32 {masked}, {value_lo}')}")
    if source.signed:
        left = emitter.temp(f"shl i32 {value}, {32 - source.width}")
        value = emitter.temp(f"ashr i32 {left}, {32 - source.width}")
    value = emitter.temp(f"add i32 {value}, {source.add}")
    if sinks:
        zero = emitter.temp(f"icmp eq i32 {value}, 0")
        value = emitter.temp(f"select i1 {zero}, i32 {SINK}, i32 {value}")
    if slot.size_bytes == 1:
        value = emitter.temp(f"trunc i32 {value} to i8")
    emitter.emit(f"store {kind} {value}, ptr {target}")


def _choose_handler(emitter: Emitter) -> None:
    """The near handler if there is one and the jump stays in the page; the member's number."""
    near = emitter.temp(f"load ptr, ptr {emitter.address('%entry', 48)}")
    far = emitter.temp(f"load ptr, ptr {emitter.address('%entry', 40)}")
    distance = emitter.temp(f"load i32, ptr {emitter.address('%slot', 8)}")
    wide = emitter.temp(f"sext i32 {distance} to i64")
    target = emitter.temp(f"add i64 %offset, {wide}")
    inside = emitter.temp(f"icmp ult i64 {target}, 4096")
    present = emitter.temp(f"icmp ne ptr {near}, null")
    both = emitter.temp(f"and i1 {inside}, {present}")
    chosen = emitter.temp(f"select i1 {both}, ptr {near}, ptr {far}")
    emitter.emit(f"store ptr {chosen}, ptr %slot")
    absent = emitter.temp(f"icmp eq ptr {near}, null")
    fusible = emitter.temp(f"or i1 {absent}, {both}")
    known = emitter.temp(f"load i32, ptr {emitter.address('%entry', 36)}")
    number = emitter.temp(f"select i1 {fusible}, i32 {known}, i32 0")
    narrow = emitter.temp(f"trunc i32 {number} to i8")
    emitter.emit(f"store i8 {narrow}, ptr {emitter.address('%slot', OP_FUSE)}")
    emitter.terminate("ret void")
