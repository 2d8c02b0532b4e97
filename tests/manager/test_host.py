"""The survey of the host."""

from pathlib import Path

import pytest

from hospes.manager.host import survey


def by_name() -> dict[str, bool]:
    return {c.name: c.present for c in survey()}


def test_every_capability_says_what_is_done_without_it() -> None:
    for capability in survey():
        assert bool(capability.needed_for) == bool(capability.without), capability.name


def test_programs_outside_the_path_of_a_user_are_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "passt"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert by_name()["passt"]


def test_a_cache_that_does_not_exist_yet_has_its_disk_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOSPES_CACHE", str(tmp_path / "not" / "yet"))
    assert "disk space" in by_name()
