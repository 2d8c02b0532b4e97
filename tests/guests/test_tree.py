"""Entries, safe names, missing directories."""

import pytest

from hospes.base.errors import HospesError
from hospes.guests.tree import Tree, directory, regular, safe_path, symlink, with_parents


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("./usr/bin/x", "usr/bin/x"),
        ("usr//bin/", "usr/bin"),
        (".", ""),
        ("./", ""),
        ("a..b", "a..b"),
    ],
)
def test_names_become_relative_paths(name: str, path: str) -> None:
    assert safe_path(name) == path


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../b", "a/..", "a\0b"])
def test_names_that_leave_the_archive_are_refused(name: str) -> None:
    with pytest.raises(HospesError, match="archive member"):
        safe_path(name)


def test_missing_directories_come_before_their_contents() -> None:
    paths = [entry.path for entry in with_parents([regular("a/b/c", b""), regular("a-b", b"")])]
    assert paths == ["a", "a-b", "a/b", "a/b/c"]


def test_given_directories_keep_their_permissions() -> None:
    [tmp, _] = with_parents([regular("tmp/x", b""), directory("tmp", 0o1777)])
    assert tmp.mode & 0o7777 == 0o1777


def test_only_directories_may_be_added_twice() -> None:
    tree = Tree()
    tree.add(directory("usr"), directory("usr"), regular("usr/x", b"1"))
    with pytest.raises(HospesError, match="/usr/x"):
        tree.add(symlink("usr/x", "y"))
    tree.replace(regular("usr/x", b"2"))
    assert tree.entries["usr/x"].data == b"2"
