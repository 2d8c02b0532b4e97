"""Reading the host's sources, and the user's own choice."""

from pathlib import Path

import pytest

from hospes.base.errors import HospesError
from hospes.guests.mirror import Source, deb822_sources, find_keyring, find_mirror, one_line_sources

DEB822 = """\
# the main archive
Types: deb deb-src
# an older address
URIs: http://one.invalid/debian
 http://two.invalid/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://off.invalid/debian
Suites: trixie
Enabled: no

types: deb-src
uris: http://source.invalid/debian
suites: trixie
"""
ONE_LINE = """\
# deb http://off.invalid/debian trixie main
deb-src http://source.invalid/debian trixie main
deb [arch=amd64 signed-by=/x.gpg] http://one.invalid/debian/ trixie main # the archive
deb http://flat.invalid/packages ./
"""


@pytest.fixture(autouse=True)
def nobody_s_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HOSPES_MIRROR", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def write_sources(etc: Path, **files: str) -> Path:
    (etc / "sources.list.d").mkdir(parents=True)
    for name, text in files.items():
        (etc / "sources.list.d" / name.replace("_", ".")).write_text(text)
    return etc


def test_deb822() -> None:
    suites = ("bookworm", "bookworm-updates")
    assert list(deb822_sources(DEB822)) == [
        Source("http://one.invalid/debian", suites),
        Source("http://two.invalid/debian", suites),
    ]


def test_one_line() -> None:
    assert list(one_line_sources(ONE_LINE)) == [
        Source("http://one.invalid/debian/", ("trixie",)),
        Source("http://flat.invalid/packages", ("./",)),
    ]


@pytest.mark.parametrize(
    ("uri", "suite", "expected"),
    [
        ("http://a.invalid/debian", "bookworm", True),
        ("http://a.invalid/debian/", "anything", True),
        ("mirror+file:/etc/apt/mirrors/debian.list", "trixie", True),
        ("http://a.invalid/debian-security", "bookworm-security", False),
        ("http://a.invalid/debian", "bookworm-security", False),
        ("http://a.invalid/debian", "buster/updates", False),
        ("http://a.invalid/ubuntu", "noble", False),
        ("http://a.invalid/apt", "nodistro", False),
    ],
)
def test_which_source_is_debian(uri: str, suite: str, expected: bool) -> None:
    assert Source(uri, (suite,)).is_debian is expected


def test_the_host_s_mirror_is_taken(tmp_path: Path) -> None:
    etc = write_sources(
        tmp_path / "etc",
        a_sources="Types: deb\nURIs: http://x.invalid/debian-security\nSuites: trixie-security\n",
        b_list="deb http://y.invalid/debian trixie main\n",
        c_disabled="deb http://z.invalid/debian trixie main\n",
    )
    assert find_mirror(etc) == "http://y.invalid/debian"


def test_the_old_single_file_is_read(tmp_path: Path) -> None:
    etc = write_sources(tmp_path / "etc")
    (etc / "sources.list").write_text(ONE_LINE)
    assert find_mirror(etc) == "http://one.invalid/debian/"


def test_no_mirror_is_one_sentence(tmp_path: Path) -> None:
    etc = write_sources(tmp_path / "etc", a_list="deb http://x.invalid/ubuntu noble main\n")
    with pytest.raises(HospesError, match="HOSPES_MIRROR"):
        find_mirror(etc)


def test_the_user_s_choice_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    etc = write_sources(tmp_path / "etc", a_list="deb http://y.invalid/debian trixie main\n")
    config = tmp_path / "config" / "hospes" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('mirror = "http://configured.invalid/debian"\n')
    assert find_mirror(etc) == "http://configured.invalid/debian"
    monkeypatch.setenv("HOSPES_MIRROR", "http://chosen.invalid/debian")
    assert find_mirror(etc) == "http://chosen.invalid/debian"


@pytest.mark.parametrize(
    "text", ["mirror = 5", "mirror =", 'mirror = "no uri"', 'mirror = "a b:c"']
)
def test_a_bad_configuration_is_one_sentence(tmp_path: Path, text: str) -> None:
    config = tmp_path / "config" / "hospes" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(text)
    with pytest.raises(HospesError, match=r"config\.toml|is not a URI"):
        find_mirror(write_sources(tmp_path / "etc"))


def test_keyrings_of_either_name(tmp_path: Path) -> None:
    with pytest.raises(HospesError, match="debian-archive-keyring"):
        find_keyring(tmp_path)
    (tmp_path / "debian-archive-keyring.pgp").touch()
    assert find_keyring(tmp_path).suffix == ".pgp"
