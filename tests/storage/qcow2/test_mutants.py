"""Damaged images: a typed error or success, no file but the declared ones, soon."""

import random
import time

import pytest
from fuzz.qcow2 import SEEDS, case, seed
from tests.storage.memory_files import MemoryFile

from hospes.storage.qcow2.check import check_qcow2

SECONDS = 1.0
MUTANTS = 2000
SOAK_MUTANTS = 50_000


def survive(seeds: range) -> None:
    for number in seeds:
        began = time.process_time()
        try:
            case(random.Random(number))
        except Exception as error:
            raise AssertionError(f"mutant {number}") from error
        assert time.process_time() - began < SECONDS, f"mutant {number} takes too long"


def test_the_seeds_are_sound() -> None:
    for number in range(len(SEEDS)):
        report = check_qcow2(MemoryFile("seed", seed(number)))
        assert (report.corruptions, report.leaks) == (0, 0), (number, report)


def test_mutants() -> None:
    """Each is used in four ways."""
    survive(range(MUTANTS))


@pytest.mark.soak
def test_50000_mutants() -> None:
    survive(range(SOAK_MUTANTS, 2 * SOAK_MUTANTS))
