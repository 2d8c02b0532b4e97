"""Random functions of the subset do natively what they do in Python."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.compiler.compiled import Subject
from tests.compiler.programs import PROGRAMS

from hospes.base.bits import U64_MAX

EDGES = (0, 1, 2, 63, 0x80, 0x7FFF_FFFF, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, U64_MAX)
OPERANDS = st.lists(
    st.tuples(*[st.one_of(st.sampled_from(EDGES), st.integers(0, U64_MAX))] * 4),
    min_size=8, max_size=8,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


@settings(
    max_examples=120, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(text=PROGRAMS, operands=OPERANDS)
def test_native_code_does_what_python_does(
    folder: Path, text: str, operands: list[tuple[int, ...]]
) -> None:
    made = Subject(folder, text)
    run = made.compile("f")
    for p, q, a, b in operands:
        assert run(p, q, a=a, b=b) == made.python("f", p, q, a=a, b=b), text
