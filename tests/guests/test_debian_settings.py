"""The files by which an image differs from Debian's packages."""

from pathlib import Path

import pytest

from hospes.guests.debian_settings import (
    early_files,
    late_files,
    security_mirror,
    settings,
    sources,
)


def test_the_guests_archives() -> None:
    text = sources("http://m.invalid/debian", None)
    assert "URIs: http://m.invalid/debian\nSuites: trixie trixie-updates\n" in text
    assert "security" not in text
    both = sources("http://m.invalid/debian", "http://m.invalid/security")
    assert both.startswith(text)
    assert "URIs: http://m.invalid/security\nSuites: trixie-security\n" in both
    assert both.count("\n\n") == 1


def test_security_updates_come_from_where_the_host_has_them(tmp_path: Path) -> None:
    assert security_mirror(tmp_path) is None
    (tmp_path / "sources.list").write_text(
        "deb http://m.invalid/debian bookworm main\n"
        "deb http://m.invalid/updates bookworm-security main\n"
    )
    assert security_mirror(tmp_path) == "http://m.invalid/updates"


def test_host_keys_are_made_by_the_machine_that_has_them() -> None:
    def files(*packages: str) -> str:
        return " ".join(entry.path for entry in late_files("a", "m:", None, packages))

    assert "sshd-keygen" not in files("nginx")
    assert "sshd-keygen" in files("nginx", "openssh-server")


def test_logins_find_the_locale_where_systemd_makes_it_lead() -> None:
    files = {entry.path: entry for entry in late_files("a", "m:", None)}
    assert files["etc/locale.conf"].data == b"LANG=C.UTF-8\n"
    assert files["etc/default/locale"].is_symlink
    assert files["etc/default/locale"].data == b"../locale.conf"


def test_scripts_can_be_executed() -> None:
    for entry in early_files():
        assert entry.data.startswith(b"#!") == bool(entry.mode & 0o111)


def test_what_the_installing_script_reads() -> None:
    lines = settings(7, "1-2", ["libc6", "libstdc++6"]).splitlines()
    assert lines[:4] == ['EPOCH="7"', 'UUID="1-2"', 'LABEL="root"', 'FOUNDATION="libc6 libstdc++6"']


def test_nothing_is_written_that_a_shell_would_take_otherwise() -> None:
    with pytest.raises(ValueError, match="cannot be"):
        settings(7, "$(x)", [])
