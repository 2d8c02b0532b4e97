"""The native decoder against the instruction set's own, encoding by encoding."""

import ctypes
import random

import pytest

from hospes.compiler.code import Code, function, load
from hospes.compiler.module import Module
from hospes.compiler.native import compile_text
from hospes.compiler.vocabulary import BITS
from hospes.engine.threaded.calls import SIGNATURE
from hospes.engine.threaded.decoder import (
    EXCLUSIONS,
    NARROW_BUCKETS,
    WIDE_BUCKETS,
    Decoder,
    bucket_of,
    buckets_of,
)
from hospes.engine.threaded.floats import FLOATS
from hospes.engine.threaded.fuse import fusion_of
from hospes.engine.threaded.ops import Operation, csr_operations, operations_of
from hospes.engine.threaded.parcels import FAR_OFFSET
from hospes.engine.threaded.state import OP_BYTES, OP_FUSE, EngineState
from hospes.engine.threaded.variants import compile_operation
from hospes.engine.threaded.words import WORDS
from hospes.isa.insn import Insn
from hospes.isa.riscv.profile import RV64

SPECIAL = csr_operations(RV64.insns)
OPERATIONS = [*SPECIAL, *operations_of(RV64.insns)]
WORDS_EACH = 60
GARBAGE = 20_000


class Native:
    """The decoder on its own, with a stub for each handler."""

    def __init__(self) -> None:
        module = Module(EngineState, {**BITS, **WORDS, **FLOATS})
        self.symbols = {one.name: compile_operation(module, one) for one in OPERATIONS}
        self.fusion = fusion_of(OPERATIONS, self.symbols)
        names = ["illegal", *(s for found in self.symbols.values() for s in found.values())]
        stubs = [
            f'define preserve_nonecc void @"{name}"({SIGNATURE}) {{\n  ret void\n}}'
            for name in names
        ]
        decoder = Decoder(OPERATIONS, self.symbols, self.fusion).text()
        enter = (
            "define void @enter(i64 %op, i64 %word, i64 %offset) {\n"
            "  call void @decode_word(ptr null, i64 %op, i64 %word, i64 %offset)\n  ret void\n}\n"
        )
        metadata = Module(EngineState, {}).text()
        text = "\n".join([*stubs, decoder, enter, metadata])
        self.code: Code = load(compile_text(text))
        self._enter = function(self.code, "enter", *[ctypes.c_uint64] * 3)
        self._names = {self.code.address(name): name for name in names}
        self._op = (ctypes.c_uint8 * OP_BYTES)()

    def decode(self, word: int, offset: int = FAR_OFFSET) -> tuple[str, bytes]:
        """The handler's symbol and the op's bytes."""
        ctypes.memset(self._op, 0, OP_BYTES)
        self._enter(ctypes.addressof(self._op), word, offset)
        data = bytes(self._op)
        return self._names[int.from_bytes(data[:8], "little")], data


@pytest.fixture(scope="module")
def native() -> Native:
    return Native()


def operation_for(made: Insn, word: int) -> Operation:
    """What an encoding's word means natively: a CSR of its own, or the general operation."""
    for one in SPECIAL:
        if one.function is made.function and one.insns[0].fits(word):
            return one
    return next(one for one in OPERATIONS if not one.csr and made in one.insns)


def expected_operands(made: Insn, operation: Operation, word: int) -> dict[str, int]:
    values = dict(
        zip((operand.name for operand in made.operands), made.arguments(word), strict=True)
    )
    return {slot.name: values[slot.name] for slot in operation.slots}


def operands(operation: Operation, data: bytes) -> dict[str, int]:
    return {
        slot.name: int.from_bytes(
            data[slot.offset : slot.offset + slot.size_bytes], "little", signed=slot.size_bytes == 4
        )
        for slot in operation.slots
    }


def check(native: Native, word: int) -> None:
    """Natively a word is what the instruction set says, operands included."""
    symbol, data = native.decode(word)
    made = RV64.find(word)
    if made is None:
        assert symbol == "illegal", f"{word:#x}"
        return
    operation = operation_for(made, word)
    assert symbol == native.symbols[operation.name][made.length, False], f"{word:#x}"
    assert operands(operation, data) == expected_operands(made, operation, word), f"{word:#x}"


def words_of(made: Insn, rng: random.Random) -> list[int]:
    """Random words with the encoding's fixed bits, those its conditions exclude among them."""
    bits = 8 * made.length
    words = [rng.getrandbits(bits) & ~made.mask | made.match for _ in range(WORDS_EACH)]
    words += [made.match, ~made.mask & ((1 << bits) - 1) | made.match]
    for name, _, value in made.where:
        field = made.field(name)
        words += [word & ~field.mask | field.insert_raw(value) for word in words[:8]]
    return words


@pytest.mark.parametrize("made", RV64.insns, ids=lambda made: f"{made.name}.{made.length}")
def test_each_encoding(native: Native, made: Insn) -> None:
    for word in words_of(made, random.Random(made.match)):
        check(native, word)


def test_each_frequent_csr(native: Native) -> None:
    for one in SPECIAL:
        word = one.insns[0].match
        assert native.decode(word)[0] == native.symbols[one.name][4, False]
        check(native, word | 0b01010 << 15 | 0b01011 << 7)


def test_garbage(native: Native) -> None:
    rng = random.Random(7)
    for _ in range(GARBAGE):
        word = rng.getrandbits(32)
        check(native, word if word & 3 == 3 else word & 0xFFFF)


def test_every_short_word(native: Native) -> None:
    for word in range(0, 1 << 16, 3):
        if word & 3 != 3:
            check(native, word)


BRANCHES = ("beq", "bltu", "jal", "c.j", "c.beqz")


@pytest.mark.parametrize("name", BRANCHES)
@pytest.mark.parametrize("offset", [0, 2, 100, 2046, 4092, 4094])
def test_jumps_inside_a_page_are_near(native: Native, name: str, offset: int) -> None:
    (made,) = RV64.by_name[name]
    field = made.field("imm")
    for distance in (
        0,
        2,
        -2,
        64,
        -64,
        254,
        -256,
        4094 - offset,
        4096 - offset,
        -offset,
        -offset - 2,
    ):
        if not field.low <= distance <= field.high:
            continue
        word = made.encode({"imm": distance})
        symbol, data = native.decode(word, offset)
        near = 0 <= offset + distance < 4096
        operation = operation_for(made, word)
        assert symbol == native.symbols[operation.name][made.length, near]
        assert bool(data[OP_FUSE]) <= near
        assert native.decode(word, FAR_OFFSET)[0].endswith(".near") is False


def test_the_number_for_fusing_is_the_members(native: Native) -> None:
    for name, length in native.fusion.ids:
        for made in RV64.insns:
            relative = (length, True) in native.symbols.get(name, {})
            if made.function.__name__ == name and made.length == length and not made.where:
                data = native.decode(made.match, 0)[1]
                assert data[OP_FUSE] == native.fusion.identity(name, length) or relative


def test_buckets_hold_every_word_of_an_encoding() -> None:
    rng = random.Random(3)
    for made in RV64.insns:
        buckets = buckets_of(made)
        assert buckets
        assert max(buckets) < WIDE_BUCKETS + NARROW_BUCKETS
        for word in words_of(made, rng):
            if made.fits(word):
                assert bucket_of(word) in buckets


def test_slots_hold_what_fields_can() -> None:
    for one in OPERATIONS:
        places = [slot.offset + n for slot in one.slots for n in range(slot.size_bytes)]
        assert len(set(places)) == len(places), one.name
        assert not places or 8 <= min(places) <= max(places) < OP_FUSE, one.name
        for slot in one.slots:
            low, high = (0, 255) if slot.size_bytes == 1 else (-(1 << 31), (1 << 31) - 1)
            assert low <= slot.interval.lo <= slot.interval.hi <= high, (one.name, slot.name)


def test_an_operation_has_one_layout_and_all_its_encodings() -> None:
    encodings = [made for one in OPERATIONS if not one.csr for made in one.insns]
    assert sorted(map(id, encodings)) == sorted(map(id, RV64.insns))
    names = [one.name for one in OPERATIONS]
    assert len(set(names)) == len(names)
    by_name: dict[str, Operation] = {one.name: one for one in OPERATIONS}
    assert {made.length for made in by_name["addi"].insns} == {2, 4}
    assert by_name["addi"].lengths == (2, 4)
    assert by_name["csrrw.satp"].csr == "satp"
    assert by_name["csrrw.satp"].function is by_name["csrrw"].function


def test_no_encoding_has_more_exclusions_than_an_entry_holds() -> None:
    for made in RV64.insns:
        assert sum(condition.operator == "!=" for condition in made.where) <= EXCLUSIONS
