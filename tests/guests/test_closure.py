"""Which packages are installed and in which order, from what apt says."""

from pathlib import Path

import pytest

from hospes.base.errors import HospesError
from hospes.guests.apt import PrivateApt
from hospes.guests.closure import Archive, PackageFile, Step, check_file

AVAILABLE = """\
Package: dpkg
Essential: yes
Pre-Depends: libc6 (>= 2.34)
Version: 1.22
Architecture: riscv64
SHA256: aa

Package: passwd
Priority: required
Version: 1:4.17
Architecture: riscv64
SHA256: bb

Package: libc6
Version: 2.41
Architecture: riscv64
SHA256: cc

Package: nginx
Priority: optional
Version: 1.26
Architecture: all
SHA256: dd
"""


class PretendedApt(PrivateApt):
    """Knows four packages; asked for anything, it would install what it needs first."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def available(self) -> str:
        return AVAILABLE

    def simulate(self, names: object) -> str:
        assert isinstance(names, list)
        self.asked.append(names)
        lines = "Inst libc6 (2.41 Debian:13 [riscv64])\nInst dpkg (1.22)\nConf libc6 (2.41)\n"
        if "nginx" in names:
            lines += "Inst passwd:riscv64 (1:4.17)\nInst nginx (1.26)\nConf dpkg (1.22)\n"
            lines += "Conf passwd (1:4.17)\nConf nginx (1.26)\n"
        return "Reading package lists...\n" + lines


def test_what_every_system_has_is_asked_for_too() -> None:
    apt = PretendedApt()
    closure = Archive(apt).closure(["nginx"])
    assert apt.asked == [["dpkg", "passwd", "nginx"]]
    assert [file.name for file in closure.files] == ["libc6", "dpkg", "passwd", "nginx"]


def test_the_foundation_is_not_installed_twice() -> None:
    closure = Archive(PretendedApt()).closure(["nginx"])
    assert closure.foundation == ("libc6", "dpkg")
    assert closure.steps == (
        Step("unpack", ("passwd", "nginx")),
        Step("configure", ("passwd", "nginx")),
    )


RELATED = """\
Package: e2fsprogs
Version: 1
Architecture: riscv64
SHA256: aa
Pre-Depends: libext2fs2t64 (= 1), libc6 (>= 2.34)
Depends: logsave | syslog,
 awk:any

Package: libext2fs2t64
Depends: libc6
Provides: libext2fs2 (= 1)

Package: libc6
Depends: libgcc-s1

Package: mawk
Depends: libext2fs2
Provides: awk

Package: logsave
Essential: no
"""


def test_what_is_needed_of_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    apt = PretendedApt()
    monkeypatch.setattr(apt, "available", lambda: RELATED)
    archive = Archive(apt)
    there = ["e2fsprogs", "libext2fs2t64", "libc6", "mawk"]
    assert archive.dependencies(["e2fsprogs"], there) == set(there)
    assert archive.dependencies(["e2fsprogs"], ["e2fsprogs", "libc6", "logsave"]) == {
        "e2fsprogs", "libc6", "logsave",
    }  # fmt: skip
    assert archive.dependencies(["libext2fs2t64"], there) == {"libext2fs2t64", "libc6"}
    assert (archive.essential, apt.asked) == ([], [])


def test_a_package_as_the_lists_describe_it() -> None:
    file = Archive(PretendedApt()).file("passwd")
    assert file == PackageFile("passwd", "1:4.17", "riscv64", "bb")
    assert file.file == "passwd_1%3a4.17_riscv64.deb"


def test_a_package_that_is_not_there() -> None:
    with pytest.raises(HospesError, match="no package 'ngins'; leave it out"):
        Archive(PretendedApt()).closure(["ngins"])


def test_a_file_that_is_another() -> None:
    file = PackageFile("nginx", "1.26", "all", "dd")
    check_file(file, Path("/cache"), "dd")
    with pytest.raises(HospesError, match=r"/cache/nginx_1\.26_all\.deb is not the one"):
        check_file(file, Path("/cache"), "de")
