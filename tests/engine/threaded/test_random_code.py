"""Code that changes, overlaps, lies across pages and moves about, on both engines."""

import pytest
from tests.engine.threaded.random_code import differences


@pytest.mark.parametrize("code_pages", [2, 3, 64])
@pytest.mark.parametrize("seed", range(3))
def test_random_code(seed: int, code_pages: int) -> None:
    found, leader = differences(seed, 40, code_pages=code_pages)
    assert not found
    assert leader.engine.statistics()["traps"] > 20


@pytest.mark.soak
def test_much_random_code() -> None:
    for seed in range(100, 1100):
        assert not differences(seed, 200, code_pages=2 + seed % 12)[0]
