"""A: reservations, atomic operations, and misalignment."""

from collections.abc import Callable

import pytest
from tests.isa.riscv.plain_hart import DATA, EDGES, LOAD_PAGE_FAULT, execute, hart, sext

from hospes.base.bits import U64_MAX, s32, s64, u32
from hospes.isa.subset import Trap

OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "swap": lambda old, value: value,
    "add": lambda old, value: old + value,
    "xor": lambda old, value: old ^ value,
    "and": lambda old, value: old & value,
    "or": lambda old, value: old | value,
    "min": min,
    "max": max,
    "minu": min,
    "maxu": max,
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_operations(operation: str) -> None:
    combine = OPERATIONS[operation]
    signed = operation in {"min", "max"}
    for old in EDGES:
        for value in EDGES:
            h = hart(x11=DATA + 8, x12=value)
            h.port.store(DATA + 8, 8, old)
            execute(h, f"amo{operation}.d a0, a2, (a1)")
            new = combine(s64(old), s64(value)) if signed else combine(old, value)
            assert (h.x[10], h.port.load(DATA + 8, 8)) == (old, new & U64_MAX)

            h.port.store(DATA + 8, 8, old)
            execute(h, f"amo{operation}.w.aqrl a0, a2, (a1)")
            new = combine(*(map(s32, (old, value)) if signed else map(u32, (old, value))))
            high = old >> 32 << 32
            assert (h.x[10], h.port.load(DATA + 8, 8)) == (sext(old), high | u32(new))


def test_the_destination_may_be_an_operand() -> None:
    h = hart(x10=3, x11=DATA)
    assert execute(h, "amoadd.d a0, a0, (a1)").x[10] == 0
    assert h.port.load(DATA, 8) == 3
    assert execute(h, "amoadd.d a1, a0, (a1)").x[11] == 3


@pytest.mark.parametrize(("size", "suffix"), [(4, "w"), (8, "d")])
def test_store_conditional(size: int, suffix: str) -> None:
    h = hart(x11=DATA, x12=7, x13=DATA + 8)
    h.port.store(DATA, size, 1 << 8 * size - 1)
    execute(h, f"lr.{suffix} a0, (a1)")
    assert h.x[10] == -(1 << 8 * size - 1) & U64_MAX
    assert execute(h, f"sc.{suffix} a0, a2, (a1)").x[10] == 0
    assert h.port.load(DATA, size) == 7
    assert execute(h, f"sc.{suffix} a0, a2, (a1)").x[10] == 1, "it holds only once"


def test_store_conditional_fails() -> None:
    h = hart(x11=DATA, x12=7, x13=DATA + 8)
    assert execute(h, "sc.d a0, a2, (a1)").x[10] == 1, "there is no reservation"
    execute(h, "lr.d a0, (a1)")
    assert execute(h, "sc.d a0, a2, (a3)").x[10] == 1, "it is of another address"
    assert execute(h, "sc.d a0, a2, (a1)").x[10] == 1, "a failure gives it up"
    execute(h, "lr.w a0, (a1)")
    assert execute(h, "sc.d a0, a2, (a1)").x[10] == 1, "it is of another size"
    execute(h, "lr.d a0, (a1)")
    h.port.store(DATA, 8, 5)
    assert execute(h, "sc.d a0, a2, (a1)").x[10] == 1, "memory has changed"
    assert h.port.load(DATA, 8) == 5
    assert h.port.load(DATA + 8, 8) == 0


def test_no_reservation_is_none_at_address_zero() -> None:
    assert execute(hart(), "sc.w a0, a2, (zero)").x[10] == 1


@pytest.mark.parametrize(
    ("text", "cause"),
    [("lr.w a0, (a1)", 4), ("lr.d a0, (a1)", 4), ("sc.w a0, a2, (a1)", 6),
     ("sc.d a0, a2, (a1)", 6), ("amoadd.w a0, a2, (a1)", 6), ("amomaxu.d a0, a2, (a1)", 6)],
)  # fmt: skip
def test_misaligned(text: str, cause: int) -> None:
    offsets = (1, 2, 3, 4, 7) if ".d" in text else (1, 2, 3)
    for offset in offsets:
        h = hart(x10=9, x11=DATA + offset, x12=1)
        with pytest.raises(Trap) as raised:
            execute(h, text)
        assert (raised.value.cause, raised.value.tval) == (cause, DATA + offset)
        assert h.x[10] == 9
        assert h.reservation == 0


def test_a_fault_leaves_the_reservation() -> None:
    h = hart(x11=DATA, x12=1)
    execute(h, "lr.d a0, (a1)")
    held = h.reservation
    h.x[11] = 0x10
    with pytest.raises(Trap) as raised:
        execute(h, "amoadd.d a0, a2, (a1)")
    assert raised.value.cause == LOAD_PAGE_FAULT
    assert h.reservation == held
