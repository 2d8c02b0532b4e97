"""Platforms for the SBI's tests."""

import pytest
from tests.firmware.sbi.sbi_platform import FakePlatform


@pytest.fixture
def platform() -> FakePlatform:
    """A machine of one hart."""
    return FakePlatform()


@pytest.fixture
def trio() -> FakePlatform:
    """A machine of three harts, of which hart 0 runs."""
    return FakePlatform(3)
