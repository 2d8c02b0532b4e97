"""Intervals: what the compiler knows about the value of an expression."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hospes.base.bits import S64_MIN, U64_MAX

S64_MAX = -S64_MIN - 1


@dataclass(frozen=True, slots=True)
class Interval:
    """All integers from lo to hi, both included.

    Native values are 64 bits wide. An interval inside u64 or s64 says that those 64 bits are the
    exact value; a wider one says that they are only the value modulo 2**64.
    """

    lo: int
    hi: int

    @property
    def fits_u64(self) -> bool:
        """Whether all of it can be told apart in 64 unsigned bits."""
        return self.lo >= 0 and self.hi <= U64_MAX

    @property
    def fits_s64(self) -> bool:
        """The same in 64-bit two's complement."""
        return self.lo >= S64_MIN and self.hi <= S64_MAX

    @property
    def exact(self) -> bool:
        """Whether the 64 bits are the value."""
        return self.fits_u64 or self.fits_s64

    def join(self, other: Interval) -> Interval:
        """The smallest interval that holds both."""
        return Interval(min(self.lo, other.lo), max(self.hi, other.hi))

    def within(self, other: Interval) -> bool:
        """Whether the other holds all of this one."""
        return other.lo <= self.lo and self.hi <= other.hi

    def widened(self) -> Interval:
        """The 64-bit class this interval belongs to, or itself when it fits none."""
        if self.fits_u64:
            return U64
        return S64 if self.fits_s64 else self

    def corners(self, other: Interval, combine: str) -> Interval:
        """The hull of an operator applied to the four pairs of bounds."""
        operations: dict[str, Callable[[int, int], int]] = {
            "*": lambda a, b: a * b,
            "<<": lambda a, b: a << b,
            ">>": lambda a, b: a >> b,
        }
        apply = operations[combine]
        values = [apply(a, b) for a in (self.lo, self.hi) for b in (other.lo, other.hi)]
        return Interval(min(values), max(values))


U64 = Interval(0, U64_MAX)
S64 = Interval(S64_MIN, S64_MAX)
BIT = Interval(0, 1)


def unsigned(bits: int) -> Interval:
    """All unsigned numbers of so many bits."""
    return Interval(0, (1 << bits) - 1)


def signed(bits: int) -> Interval:
    """All two's complement numbers of so many bits."""
    return Interval(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def bitwise(operator: str, a: Interval, b: Interval) -> Interval:
    """The interval of a & b, a | b or a ^ b; wider than 64 bits when only the bits are known."""
    if operator == "&":
        bounds = [i.hi for i in (a, b) if i.lo >= 0]
        if bounds:
            return Interval(0, min(bounds))
    if a.lo >= 0 and b.lo >= 0:
        return unsigned(max(a.hi.bit_length(), b.hi.bit_length()))
    if a.fits_s64 and b.fits_s64:
        return S64
    return Interval(S64_MIN * 2, U64_MAX)
