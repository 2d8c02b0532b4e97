"""The private apt: its configuration, the two names of a suite, and refusals of the real apt."""

import hashlib
import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.guests.conftest import FakeApt

from hospes.base.errors import HospesError
from hospes.guests.apt import PrivateApt

MISMATCH = "E: Failed to fetch x  File has unexpected size (5 != 6). Mirror sync in progress?\n"
UNSIGNED = "W: GPG error: x: The following signatures were invalid: BADSIG 12\n"
needs_apt = pytest.mark.skipif(not shutil.which("apt-get"), reason="the host has no apt-get")


def test_only_our_own_directory_is_used(tmp_path: Path, fake_apt: FakeApt) -> None:
    apt = PrivateApt(tmp_path / "apt")
    apt.update()
    assert apt.release == "13.9"
    configuration = (tmp_path / "apt/apt.conf").read_text()
    user = pwd.getpwuid(os.geteuid()).pw_name
    for line in (
        f'Dir "{tmp_path}/apt";',
        'APT::Architecture "riscv64";',
        f'APT::Sandbox::User "{user}";',
        'Acquire::AllowInsecureRepositories "false";',
        'Acquire::http::Proxy "http://proxy.invalid:3128";',
        'Acquire::Retries "3";',
    ):
        assert f"{line}\n" in configuration
    assert "Verify" not in configuration
    assert '"true"' not in configuration
    source = (tmp_path / "apt/etc/sources.list.d/debian.sources").read_text()
    assert "URIs: http://m.invalid/debian\nSuites: trixie\n" in source
    assert f"Signed-By: {tmp_path}/debian-archive-keyring.gpg\n" in source


def test_progress_is_apt_s(tmp_path: Path, fake_apt: FakeApt) -> None:
    steps: list[tuple[str, int, int]] = []
    PrivateApt(tmp_path / "apt").update(lambda *step: steps.append(step))
    assert [done for _, done, _ in steps] == [0, 42, 100]


def test_a_mismatch_is_tried_under_the_other_name(tmp_path: Path, fake_apt: FakeApt) -> None:
    fake_apt.fail("update", MISMATCH)
    fake_apt.release("stable", "trixie")
    PrivateApt(tmp_path / "apt").update()
    assert fake_apt.log == ["update trixie", "update stable"]


def test_another_release_is_not_taken_for_ours(tmp_path: Path, fake_apt: FakeApt) -> None:
    fake_apt.fail("update", MISMATCH)
    fake_apt.release("stable", "forky")
    with pytest.raises(HospesError, match="not those its signature names"):
        PrivateApt(tmp_path / "apt").update()


def test_a_bad_signature_is_never_tried_elsewhere(tmp_path: Path, fake_apt: FakeApt) -> None:
    fake_apt.fail("update", MISMATCH + UNSIGNED)
    fake_apt.release("stable", "trixie")
    with pytest.raises(HospesError, match="signature could not be verified"):
        PrivateApt(tmp_path / "apt").update()
    assert fake_apt.log == ["update trixie"]


def test_downloads_and_dependencies(tmp_path: Path, fake_apt: FakeApt) -> None:
    apt = PrivateApt(tmp_path / "apt")
    apt.update()
    assert apt.depends("linux-image-riscv64") == ["linux-image-9"]
    into = tmp_path / "into"
    into.mkdir()
    assert [path.name for path in apt.download(["bash", "perl"], into)] == ["bash.deb", "perl.deb"]
    assert [path.name for path in apt.download_closure(["coreutils"], into)] == [
        "bash.deb", "coreutils.deb", "perl.deb",
    ]  # fmt: skip


def test_without_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HospesError, match=r"no apt-get.*install apt"):
        PrivateApt(tmp_path / "apt")


def repository(root: Path) -> Path:
    """A Debian archive on this disk with an empty list of packages, and nobody's signature."""
    lists = root / "dists/trixie/main/binary-riscv64"
    lists.mkdir(parents=True)
    (lists / "Packages").write_bytes(b"")
    digest = hashlib.sha256(b"").hexdigest()
    (root / "dists/trixie/Release").write_text(
        "Origin: Debian\nCodename: trixie\nSuite: trixie\nArchitectures: riscv64\n"
        "Components: main\n"
        "Date: Sat, 01 Nov 2025 00:00:00 UTC\n"
        f"SHA256:\n {digest} 0 main/binary-riscv64/Packages\n"
    )
    return root


@pytest.fixture
def keyring(tmp_path: Path) -> Path:
    found = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    if not found.exists():
        pytest.skip("the host does not have the Debian archive's keys")
    return found


@needs_apt
def test_the_real_apt_refuses_an_unsigned_archive(tmp_path: Path, keyring: Path) -> None:
    uri = f"file:{repository(tmp_path / 'archive')}"
    with pytest.raises(HospesError, match="signature could not be verified") as caught:
        PrivateApt(tmp_path / "apt", mirror=uri, keyring=keyring).update()
    assert "\n" not in str(caught.value)


@needs_apt
@pytest.mark.skipif(not shutil.which("gpg"), reason="the host has no gpg to sign with")
def test_the_real_apt_refuses_somebody_else_s_signature(tmp_path: Path, keyring: Path) -> None:
    archive = repository(tmp_path / "archive")
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    release = archive / "dists/trixie/Release"
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--passphrase", ""]
    try:
        subprocess.run([*gpg, "--quick-gen-key", "stranger", "ed25519"], check=True)
        inline = release.with_name("InRelease")
        subprocess.run([*gpg, "--clearsign", "-o", str(inline), str(release)], check=True)
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)
    said = "signature could not be verified.*public key is not available"
    with pytest.raises(HospesError, match=said):
        PrivateApt(tmp_path / "apt", mirror=f"file:{archive}", keyring=keyring).update()


@needs_apt
def test_the_real_apt_without_a_network(tmp_path: Path, keyring: Path) -> None:
    with pytest.raises(HospesError, match="cannot be reached") as caught:
        PrivateApt(tmp_path / "apt", mirror="http://127.0.0.1:9/debian", keyring=keyring).update()
    assert "\n" not in str(caught.value)
