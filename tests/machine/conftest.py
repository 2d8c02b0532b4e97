"""Every engine runs the same programs."""

import pytest

from hospes.spec.vm import EngineKind


@pytest.fixture(params=list(EngineKind))
def engine(request: pytest.FixtureRequest) -> EngineKind:
    """Each engine in turn."""
    kind: EngineKind = request.param
    return kind
