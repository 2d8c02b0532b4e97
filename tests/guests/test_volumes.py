"""How guests are told of shared folders."""

import subprocess

from hospes.guests.init_script import INIT_SCRIPT
from hospes.guests.volumes import OPTIONS, init_words, systemd_words
from hospes.spec.volume import VolumeKind, parse_volume

VOLUMES = tuple(
    map(parse_volume, ("/a:/src", "/b:/data/b:ro", "/c:/c:virtiofs", "/d:/d:ro,virtiofs"))
)
NINEP = OPTIONS[VolumeKind.NINEP]
LAST = "nofail,x-systemd.before=local-fs.target"


def test_systemd() -> None:
    assert list(systemd_words(VOLUMES)) == [
        f"systemd.mount-extra=volume0:/src:9p:{NINEP},{LAST}",
        f"systemd.mount-extra=volume1:/data/b:9p:ro,{NINEP},{LAST}",
        f"systemd.mount-extra=volume2:/c:virtiofs:rw,{LAST}",
        f"systemd.mount-extra=volume3:/d:virtiofs:ro,{LAST}",
    ]


def test_our_own_init() -> None:
    start, end = INIT_SCRIPT.index("for folder in"), INIT_SCRIPT.index("# A pipeline")
    words = " ".join(word.partition("=")[2] for word in init_words(VOLUMES))
    stubs = "mkdir() { echo mkdir $*; }; mount() { echo mount $*; }"
    script = f"{stubs}\nfolders='{words}'\n{INIT_SCRIPT[start:end]}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "mkdir -p /src", f"mount -t 9p -o {NINEP} volume0 /src",
        "mkdir -p /data/b", f"mount -t 9p -o ro,{NINEP} volume1 /data/b",
        "mkdir -p /c", "mount -t virtiofs -o rw volume2 /c",
        "mkdir -p /d", "mount -t virtiofs -o ro volume3 /d",
    ]  # fmt: skip
