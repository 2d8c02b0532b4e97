"""Where copies go, by the rules of `docker cp`."""

import pytest

from hospes.base.errors import HospesError
from hospes.guests.transfer.placement import Kind, Placement, Source, place, source_of


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("a", "a"),
        ("/x/a", "a"),
        ("x/a/", "a"),
        ("x/a/.", ""),
        (".", ""),
        ("/", ""),
        ("x/..", ""),
        ("-a", "-a"),
    ],
)
def test_sources(path: str, title: str) -> None:
    assert source_of(path) == Source(path, title)


FILE, DIRECTORY = False, True


@pytest.mark.parametrize(
    ("path", "is_directory", "target", "kind", "placement"),
    [
        ("x/a", FILE, "/t", Kind.DIRECTORY, Placement("/t", "a")),
        ("x/a", FILE, "/t/", Kind.DIRECTORY, Placement("/t/", "a")),
        ("x/a", FILE, "/t/b", Kind.MISSING, Placement("/t", "b")),
        ("x/a", FILE, "/t/b", Kind.FILE, Placement("/t", "b")),
        ("x/a", DIRECTORY, "/t", Kind.DIRECTORY, Placement("/t", "a")),
        ("x/a/", DIRECTORY, "/t", Kind.DIRECTORY, Placement("/t", "a")),
        ("x/a/.", DIRECTORY, "/t", Kind.DIRECTORY, Placement("/t", "")),
        ("x/a", DIRECTORY, "/t/b", Kind.MISSING, Placement("/t", "b")),
        ("x/a", DIRECTORY, "/t/b/", Kind.MISSING, Placement("/t", "b")),
        ("x/a/.", DIRECTORY, "/t/b", Kind.MISSING, Placement("/t", "b")),
    ],
)
def test_places(
    path: str, is_directory: bool, target: str, kind: Kind, placement: Placement
) -> None:
    assert place(source_of(path), is_directory, target, kind, target.rstrip("/")) == placement


@pytest.mark.parametrize(
    ("is_directory", "target", "kind", "sentence"),
    [
        (FILE, "/t/b", Kind.NOWHERE, "There is no directory '/t' to copy into; make it first"),
        (FILE, "b", Kind.NOWHERE, "There is no directory '.' to copy into"),
        (FILE, "/t/b/", Kind.MISSING, "There is no directory '/t/b/' to copy into"),
        (FILE, "/t/b/", Kind.FILE, "There is no directory '/t/b/' to copy into"),
        (DIRECTORY, "/t/b", Kind.FILE, "'/t/b' is a file, so no directory"),
        (DIRECTORY, "/t/b", Kind.OTHER, "'/t/b' is neither a file nor a directory"),
        (FILE, "/dev/null", Kind.OTHER, "'/dev/null' is neither a file nor a directory"),
    ],
)
def test_refusals(is_directory: bool, target: str, kind: Kind, sentence: str) -> None:
    with pytest.raises(HospesError, match=sentence):
        place(source_of("x/a"), is_directory, target, kind, target.rstrip("/"))


def test_links_at_the_target_are_followed() -> None:
    assert place(source_of("a"), FILE, "/t/link", Kind.FILE, "/u/real") == Placement("/u", "real")
