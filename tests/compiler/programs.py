"""Random functions of the subset, as text, for comparing Python with native code."""

from typing import Final

from hypothesis import strategies as st

NUMBERS: Final = st.one_of(
    st.integers(0, 80),
    st.sampled_from([255, 256, 0x7FFF_FFFF, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]),
    st.integers(0, (1 << 64) - 1),
)
LEAVES: Final = st.one_of(
    st.sampled_from(["p", "q", "u0", "u1", "u2", "h.a", "h.b", "h.x[2]", "BIG"]),
    NUMBERS.map(str),
)
COMPARISONS: Final = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])


def _unsigned(terms: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions of u64, from expressions of u64."""
    pair = st.tuples(terms, terms)
    return st.one_of(
        st.tuples(terms, st.sampled_from("+-*"), terms).map(lambda t: f"u64({' '.join(t)})"),
        st.tuples(pair, st.sampled_from("&|^")).map(lambda t: f"({t[0][0]} {t[1]} {t[0][1]})"),
        pair.map(lambda t: f"u64({t[0]} << ({t[1]} & 63))"),
        pair.map(lambda t: f"({t[0]} >> ({t[1]} & 63))"),
        pair.map(lambda t: f"u64(({t[0]} << 3) - (~{t[1]} << 7) * 5)"),
        st.tuples(st.sampled_from(["u8", "u16", "u32", "clz64", "ctz64", "popcount64", "bswap64"]),
                  terms).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(st.sampled_from(["min", "max", "umulh"]), pair).map(
            lambda t: f"{t[0]}({t[1][0]}, {t[1][1]})"),
        pair.map(lambda t: f"rotl64({t[0]}, {t[1]} & 63)"),
        pair.map(lambda t: f"rotl32(u32({t[0]}), {t[1]} & 31)"),
        pair.map(lambda t: f"udiv({t[0]}, {t[1]} | 1)"),
        pair.map(lambda t: f"urem({t[0]}, {t[1]} | 1)"),
        _signed(terms).map(lambda t: f"u64({t})"),
        terms.map(lambda t: f"h.x[{t} & 7]"),
        st.tuples(_truth(terms), pair).map(lambda t: f"({t[1][0]} if {t[0]} else {t[1][1]})"),
        _truth(terms).map(lambda t: f"u64({t})"),
        pair.map(lambda t: f"helper(h, {t[0]}, {t[1]})"),
        pair.map(lambda t: f"early(h, {t[0]}, {t[1]})"),
    )  # fmt: skip


def _signed(terms: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions of s64."""
    pair = st.tuples(terms, terms)
    return st.one_of(
        terms.map(lambda t: f"s64({t})"),
        st.tuples(st.sampled_from(["s8", "s16", "s32"]), terms).map(lambda t: f"{t[0]}({t[1]})"),
        pair.map(lambda t: f"(s64({t[0]}) >> ({t[1]} & 63))"),
        pair.map(lambda t: f"s64(s64({t[0]}) - s32({t[1]}))"),
        pair.map(lambda t: f"(s8({t[0]}) - s16({t[1]})) * s32({t[0]})"),
        pair.map(lambda t: f"smulh(s64({t[0]}), s64({t[1]}))"),
        pair.map(lambda t: f"sdiv(s64({t[0]}) >> 1, s32({t[1]}) | 1)"),
        pair.map(lambda t: f"srem(s64({t[0]}) >> 1, s32({t[1]}) | 1)"),
        pair.map(lambda t: f"min(s64({t[0]}), s8({t[1]}))"),
        st.sampled_from(["s0", "NEGATIVE", "-1"]),
    )


def _truth(terms: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Tests."""
    plain = st.one_of(
        st.tuples(terms, COMPARISONS, terms).map(" ".join),
        st.tuples(_signed(terms), COMPARISONS, _signed(terms)).map(" ".join),
    )
    return st.one_of(
        plain,
        plain.map(lambda t: f"not {t}"),
        st.tuples(plain, st.sampled_from([" and ", " or "]), plain).map(
            lambda t: f"({''.join(t)})"
        ),
    )


EXPRESSIONS: Final = st.recursive(LEAVES, _unsigned, max_leaves=6)
TESTS: Final = _truth(EXPRESSIONS)
SIGNED: Final = _signed(EXPRESSIONS)


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _simple() -> st.SearchStrategy[list[str]]:
    target = st.sampled_from(["u0", "u1", "u2", "p", "h.a", "h.b", "h.x[1]", "h.x[q & 7]"])
    field = st.sampled_from(["h.a", "h.x[3]", "h.x[p & 7]"])
    return st.one_of(
        st.tuples(target, EXPRESSIONS).map(lambda t: [f"{t[0]} = {t[1]}"]),
        st.tuples(field, EXPRESSIONS, EXPRESSIONS).map(lambda t: [f"{t[0]} = {t[1]} * {t[2]}"]),
        st.tuples(field, st.sampled_from("+-*&|^"), EXPRESSIONS).map(
            lambda t: [f"{t[0]} {t[1]}= {t[2]}"]
        ),
        SIGNED.map(lambda t: [f"s0 = s64({t})"]),
        st.tuples(EXPRESSIONS, EXPRESSIONS).map(lambda t: [f"u0, u1 = {t[0]}, {t[1]}"]),
        st.tuples(st.sampled_from(["u1 &= ", "u2 |= ", "u0 ^= "]), EXPRESSIONS).map(
            lambda t: ["".join(t)]
        ),
    )


def _compound(blocks: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    """Branches, loops and early returns around blocks."""
    return st.one_of(
        st.tuples(blocks, blocks).map(lambda t: t[0] + t[1]),
        st.tuples(TESTS, blocks).map(lambda t: [f"if {t[0]}:", *_indented(t[1])]),
        st.tuples(TESTS, blocks, blocks).map(
            lambda t: [f"if {t[0]}:", *_indented(t[1]), "else:", *_indented(t[2])]
        ),
        st.tuples(TESTS, EXPRESSIONS).map(lambda t: [f"if {t[0]}:", f"    return {t[1]}"]),
        st.tuples(st.integers(1, 5), blocks).map(
            lambda t: ["n = 0", f"while n < {t[0]}:", "    n = u64(n + 1)", *_indented(t[1])]
        ),
    )


BLOCKS: Final = st.recursive(_simple(), _compound, max_leaves=6)

HELPERS: Final = """
def helper(h, v, w):
    h.b = h.b ^ v
    if v > w:
        return u64(v - w)
    return w >> 1
@inline
def early(h, v, w):
    u0 = v
    if w & 1:
        return u0
    h.a = u64(h.a + w)
    while u0 > 1000:
        if u0 & 1:
            return w
        u0 = u0 >> 1
    return u64(u0 + w)
"""


def _text(parts: tuple[list[str], str]) -> str:
    starts = ["u0 = 0", "u1 = 1", "u2 = q", "s0 = -1"]
    lines = _indented([*starts, *_distinct(parts[0]), f"return {parts[1]}"])
    return HELPERS + "def f(h, p, q):\n" + "\n".join(lines) + "\n"


def _distinct(lines: list[str]) -> list[str]:
    """Give each loop's counter the name of its depth, so that loops inside have others."""
    return [
        line.replace("n = ", f"n{_depth(line)} = ")
        .replace("while n <", f"while n{_depth(line)} <")
        .replace(f"n{_depth(line)} = u64(n ", f"n{_depth(line) - 1} = u64(n{_depth(line) - 1} ")
        for line in lines
    ]


def _depth(line: str) -> int:
    return (len(line) - len(line.lstrip())) // 4


PROGRAMS: Final = st.tuples(BLOCKS, EXPRESSIONS).map(_text)
"""Texts that define `f(h, p, q)`."""
