"""Images as users ask for them."""

from pathlib import Path
from typing import Any

import pytest

from hospes.base.errors import HospesError
from hospes.guests.store import Image, Manifest
from hospes.manager.manager import Manager
from hospes.manager.verbs.images import build


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the catalogue was asked to build, once it was."""
    found: dict[str, Any] = {}

    def pretended(name: str, packages: list[str], driver: object, **wanted: Any) -> Image:
        found.update(wanted, name=name, packages=packages)
        manifest = Manifest(
            name=name, recipe="", release="13.9", packages=(), files={}, memory_bytes=1, append=""
        )
        return Image(tmp_path, manifest)

    monkeypatch.setattr("hospes.guests.catalogue.build", pretended)
    return found


def test_an_image_of_ones_own(asked: dict[str, Any]) -> None:
    made = build(Manager(), "web", packages="nginx, git", size="4G")
    assert (made.name, made.release) == ("web", "13.9")
    assert (asked["name"], asked["packages"], asked["base"]) == ("web", ["nginx", "git"], "debian")
    assert asked["disk_bytes"] == 4 << 30


def test_nothing_but_the_base(asked: dict[str, Any]) -> None:
    build(Manager(), "debian")
    assert (asked["packages"], asked["disk_bytes"]) == ([], None)


@pytest.mark.parametrize("packages", ["a;b", "nginx,-y", "Nginx", "a/b"])
def test_what_cannot_be_a_package(asked: dict[str, Any], packages: str) -> None:
    with pytest.raises(HospesError, match="cannot be a package's name"):
        build(Manager(), "web", packages=packages)
    assert not asked


def test_a_size_that_is_none(asked: dict[str, Any]) -> None:
    with pytest.raises(HospesError, match="disk size 'big' is not a size"):
        build(Manager(), "web", size="big")
