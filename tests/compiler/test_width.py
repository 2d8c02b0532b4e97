"""Intervals hold every value that an operation on their members can have."""

import operator

from hypothesis import given
from hypothesis import strategies as st

from hospes.base.bits import S64_MIN, U64_MAX
from hospes.compiler.width import S64, S64_MAX, U64, Interval, bitwise, signed, unsigned

BITWISE = {"&": operator.and_, "|": operator.or_, "^": operator.xor}
CORNERS = {"*": operator.mul, "<<": operator.lshift, ">>": operator.rshift}
BOUNDS = st.one_of(
    st.integers(S64_MIN, U64_MAX),
    st.integers(-300, 300),
    st.sampled_from([S64_MIN, -1, 0, 1, S64_MAX, S64_MAX + 1, U64_MAX]),
)


@st.composite
def members(draw: st.DrawFn, bounds: st.SearchStrategy[int] = BOUNDS) -> tuple[Interval, int]:
    """An interval and a number in it."""
    low, high = sorted((draw(bounds), draw(bounds)))
    return Interval(low, high), draw(st.integers(low, high))


EXACT = members().filter(lambda member: member[0].exact)
SHIFTS = members(st.integers(0, 63))


@given(st.sampled_from(list(BITWISE)), EXACT, EXACT)
def test_bitwise(sign: str, a: tuple[Interval, int], b: tuple[Interval, int]) -> None:
    interval = bitwise(sign, a[0], b[0])
    result = BITWISE[sign](a[1], b[1])
    assert interval.lo <= result <= interval.hi
    if interval.exact:
        assert result & U64_MAX == BITWISE[sign](a[1] & U64_MAX, b[1] & U64_MAX)


@given(st.sampled_from(list(CORNERS)), EXACT, SHIFTS)
def test_corners(sign: str, a: tuple[Interval, int], b: tuple[Interval, int]) -> None:
    interval = a[0].corners(b[0], sign)
    assert interval.lo <= CORNERS[sign](a[1], b[1]) <= interval.hi


@given(members(), members())
def test_join_and_within(a: tuple[Interval, int], b: tuple[Interval, int]) -> None:
    joined = a[0].join(b[0])
    assert a[0].within(joined)
    assert b[0].within(joined)
    assert a[0].within(b[0]) == (b[0].join(a[0]) == b[0])


@given(members())
def test_widening_keeps_the_class(a: tuple[Interval, int]) -> None:
    wide = a[0].widened()
    assert a[0].within(wide)
    assert wide.exact == a[0].exact
    assert wide in (U64, S64) or wide == a[0]


def test_classes() -> None:
    assert unsigned(64) == U64
    assert signed(64) == S64
    assert signed(8) == Interval(-128, 127)
    assert not Interval(-1, U64_MAX).exact
    assert Interval(-1, S64_MAX).exact
