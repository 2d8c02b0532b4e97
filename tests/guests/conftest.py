"""An apt-get of our own making, for tests that must not need a network; a guest's agent."""

import os
import string
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.guests.debs import deb, member
from tests.guests.qga_host import StandInPorts, stand_in

APT_GET = r"""#!/bin/sh
root=$(sed -n 's/^Dir "\(.*\)";/\1/p' "$APT_CONFIG")
suite=$(sed -n 's/^Suites: //p' "$root/etc/sources.list.d/debian.sources")
into=.
for word; do
	case $word in
	Dir::Cache::archives=*) into=${word#*=} ;;
	update|download|install) verb=$word names= ;;
	*) names="$names $word" ;;
	esac
done
echo "$verb$names $suite" >>"$FAKE_APT/log"
if [ -f "$FAKE_APT/fails-$verb-$suite" ]; then
	cat "$FAKE_APT/fails-$verb-$suite" >&2
	exit 100
fi
echo "dlstatus:1:42.7:Retrieving"
case $verb in
update) cp "$FAKE_APT/release-$suite" "$root/state/lists/m.invalid_dists_${suite}_InRelease" ;;
*) for name in $names; do cp "$FAKE_APT/$name.deb" "$into/"; done ;;
esac
"""
APT_CACHE = (
    "#!/bin/sh\necho 'Package: linux-image-riscv64'\necho 'Depends: linux-image-9 (= 9-1)'\n"
)
APT_CONFIG = """#!/bin/sh
echo 'Acquire::http::Proxy "http://proxy.invalid:3128";'
echo 'Acquire::https::Verify-Peer "false";'
echo 'Acquire::AllowInsecureRepositories "true";'
echo 'Acquire::Retries "3";'
"""
SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----\n\n"
RELEASE = SIGNED + "Origin: Debian\nVersion: 13.9\nCodename: {}\nMD5Sum:\n x\n"
APPLETS = sorted(
    ["[", "[[", "busybox", "sh"] + [f"{a}{n}" for a in string.ascii_lowercase for n in "123"]
)
BUSYBOX = b"\x7fELF" + b"".join(b"%s\0" % name.encode() for name in APPLETS) + b"\0"
KERNEL = b"MZ kernel RSC\x05" * 100


class FakeApt:
    """The directory that the fake apt-get works from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.release("trixie", "trixie")
        deb(
            path / "busybox-static.deb",
            (member("./usr/bin/busybox", mode=0o755), BUSYBOX),
            name="busybox-static",
        )
        deb(
            path / "linux-image-9.deb",
            (member("./boot/vmlinux-9"), KERNEL),
            (member("./boot/System.map-9"), b"map"),
            (member("./usr/lib/modules/9/kernel/drivers/virtio/virtio_mmio.ko"), b"module"),
            (member("./usr/lib/modules/9/kernel/drivers/other.ko"), b"other"),
            name="linux-image-9",
        )
        for name in ("bash", "coreutils", "perl", "python3"):
            deb(
                path / f"{name}.deb",
                (member("./usr/sbin/", tarfile.DIRTYPE, mode=0o755), b""),
                (member(f"./usr/bin/{name}", mode=0o755), name.encode()),
                (member(f"./usr/share/doc/{name}/copyright"), b"text"),
                name=name,
            )

    def release(self, suite: str, codename: str) -> None:
        (self.path / f"release-{suite}").write_text(RELEASE.format(codename))

    def fail(self, verb: str, message: str, suite: str = "trixie") -> None:
        (self.path / f"fails-{verb}-{suite}").write_text(message)

    @property
    def log(self) -> list[str]:
        path = self.path / "log"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def fake_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeApt:
    """apt's programs are replaced; the mirror is one that does not exist."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in (("apt-get", APT_GET), ("apt-cache", APT_CACHE), ("apt-config", APT_CONFIG)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOSPES_MIRROR", "http://m.invalid/debian")
    keyring = tmp_path / "debian-archive-keyring.gpg"
    keyring.touch()
    monkeypatch.setattr("hospes.guests.apt.find_keyring", lambda: keyring)
    fake = tmp_path / "fake-apt"
    fake.mkdir()
    monkeypatch.setenv("FAKE_APT", str(fake))
    return FakeApt(fake)


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandInPorts]:
    """As a guest's, with the real agent of this host behind them."""
    with stand_in(tmp_path_factory.mktemp("agent")) as ports:
        yield ports
