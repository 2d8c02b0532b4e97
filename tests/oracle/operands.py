"""Operand values: random numbers, and those near the edges of types and formats."""

from collections.abc import Callable
from random import Random
from typing import Final

from hospes.base.ieee import BINARY32, BINARY64, Format
from hospes.isa.riscv.fp_bits import BOX

U64: Final = 0xFFFF_FFFF_FFFF_FFFF
EDGES: Final = tuple(
    value & U64
    for value in (
        0, 1, 2, 3, -1, -2, 0x7F, 0x80, 0xFF, -0x80, 0x7FFF, 0x8000, 0xFFFF, -0x8000, 0x7FFF_FFFF,
        0x8000_0000, 0xFFFF_FFFF, -0x8000_0000, 0x1_0000_0000, 1 << 62, (1 << 63) - 1, 1 << 63,
        0x5555_5555_5555_5555, 0xAAAA_AAAA_AAAA_AAAA, 0x0123_4567_89AB_CDEF, 31, 32, 33, 63, 64,
    )
)  # fmt: skip
ROUNDINGS: Final = (0, 1, 2, 3, 4)
RESERVED_ROUNDINGS: Final = (5, 6, 7)


def integer(random: Random) -> int:
    """A u64."""
    choice = random.randrange(8)
    if choice < 3:
        return random.choice(EDGES)
    if choice == 3:
        return ((1 << random.randrange(64)) + random.randrange(-1, 2)) & U64
    value = random.getrandbits(64)
    if choice == 4:
        return value >> random.randrange(64)
    if choice == 5:
        return ((value & 0xFFFF_FFFF ^ 0x8000_0000) - 0x8000_0000) & U64
    if choice == 6:
        return sum(0xFF << 8 * byte for byte in range(8) if value >> byte & 1) & value >> 8
    return value


def edges_of(f: Format) -> tuple[int, ...]:
    """Bit patterns of one format at which something changes, both signs."""
    one = f.bias << f.fraction_bits
    half = (f.bias - 1) << f.fraction_bits
    least_normal = 1 << f.fraction_bits
    powers = [(f.bias + power) << f.fraction_bits for power in (24, 31, 32, 52, 53, 63, 64)]
    positive = [
        0, 1, 2, least_normal - 1, least_normal, least_normal + 1, half - 1, half, half + 1,
        one - 1, one, one + 1, one | least_normal >> 1, one + least_normal, f.largest - 1,
        f.largest, f.infinity, f.infinity + 1, f.nan - 1, f.nan, f.nan + 1, f.sign - 1,
    ]  # fmt: skip
    positive += [power + change for power in powers for change in (-1, 0, 1)]
    return tuple(bits | sign for bits in positive for sign in (0, f.sign))


EDGES_OF: Final = {f: edges_of(f) for f in (BINARY32, BINARY64)}


def number(random: Random, f: Format) -> int:
    """The bits of a float."""
    choice = random.randrange(8)
    if choice < 3:
        return random.choice(EDGES_OF[f])
    width = 1 + f.exponent_bits + f.fraction_bits
    if choice == 3:
        return random.getrandbits(width)
    sign, fraction = random.getrandbits(1) * f.sign, random.getrandbits(f.fraction_bits)
    if choice == 4:
        fraction &= -1 << random.randrange(f.fraction_bits)
    spread = 3 if choice == 5 else 66
    exponent = f.bias + random.randint(-spread, spread)
    if choice == 6:
        exponent = random.choice((random.randrange(40), 2 * f.bias - random.randrange(40)))
    return sign | exponent << f.fraction_bits | fraction


def special(random: Random, f: Format) -> int:
    """A zero, an infinity, a NaN, one, or a number next to overflow or underflow."""
    one = f.bias << f.fraction_bits
    signalling = f.infinity + 1
    chosen = random.choice((0, 0, f.infinity, f.infinity, f.nan, signalling, one, f.largest, 1))
    return chosen | random.getrandbits(1) * f.sign


def held(random: Random, f: Format, pick: Callable[[Random, Format], int] = number) -> int:
    """The bits of an f register with a float of a format: a single boxed, or rarely not."""
    bits = pick(random, f)
    if f is BINARY64:
        return bits
    return bits | BOX if random.randrange(16) else bits | random.getrandbits(64) << 32 & U64


def cancelling(random: Random, f: Format, a: int, b: int) -> int:
    """A float near minus the product of two others, so that a fused sum loses most bits."""
    bias, mask = f.bias, (1 << f.exponent_bits) - 1
    exponents = [(bits >> f.fraction_bits) & mask for bits in (a, b)]
    exponent = min(max(sum(exponents) - bias + random.randint(-1, 2), 0), mask)
    sign = (a ^ b ^ f.sign) & f.sign
    return sign | exponent << f.fraction_bits | random.getrandbits(f.fraction_bits)


def floating_state(random: Random) -> int:
    """A value for fcsr: rounding mode, sometimes a reserved one, and flags raised before."""
    frm = random.choice(ROUNDINGS if random.randrange(16) else RESERVED_ROUNDINGS)
    flags = random.getrandbits(5) if random.randrange(4) == 0 else 0
    return frm << 5 | flags
