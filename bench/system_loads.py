"""What is timed in the whole system: fio's four patterns, and packages unpacked by dpkg."""

from dataclasses import dataclass
from typing import Final

SCRIPT: Final = "bench"
SCRATCH_DISK: Final = "/dev/vdb"
PACKAGES_DISK: Final = "/dev/vdc"
MOUNT: Final = "/mnt"
FIO_SECONDS: Final = 6
FIO_BYTES: Final = "1g"
FIO_MARK: Final = b"bench-fio "
UNPACK: Final = "s_unpack"
# How far fio's read and write bandwidths, in KiB/s, are from the start of a terse line, version 3.
FIO_FIELDS: Final = "7,48"


@dataclass(frozen=True)
class FioLoad:
    """One pattern; `depth` is how many requests are under way at a time."""

    key: str
    title: str
    pattern: str
    block: str
    depth: int


FIO_LOADS: Final = (
    FioLoad("s_seq_read", "fio, sequential 1 MiB reads", "read", "1m", 4),
    FioLoad("s_seq_write", "fio, sequential 1 MiB writes", "write", "1m", 4),
    FioLoad("s_rand_read", "fio, random 4 KiB reads", "randread", "4k", 16),
    FioLoad("s_rand_write", "fio, random 4 KiB writes", "randwrite", "4k", 16),
)

PACKAGES: Final = (
    "bash-completion", "bc", "bind9-host", "bsdextrautils", "bzip2", "ca-certificates", "cron",
    "curl", "dc", "debconf-i18n", "dialog", "bind9-dnsutils", "dosfstools", "ed", "file", "gawk",
    "gettext-base", "git", "groff-base", "htop", "ifupdown", "info", "install-info", "iptables",
    "jq", "logrotate", "lsof", "m4", "make", "man-db", "manpages", "mawk", "media-types", "nano",
    "ncurses-term", "netcat-openbsd", "nftables", "openssh-client", "patch", "perl",
    "psmisc", "rsync", "screen", "socat", "strace", "time", "tmux", "traceroute", "wget", "zip",
)  # fmt: skip


def script() -> bytes:
    """A shell script to source: a function for each load."""
    lines = ["answer() { [ $? = 0 ] && echo bench-done 0 || echo bench-failed; }"]
    for one in FIO_LOADS:
        lines.append(
            f"{one.key}() {{ set -- $(fio --name={one.key} --filename={SCRATCH_DISK} "
            f"--size={FIO_BYTES} --rw={one.pattern} --bs={one.block} --direct=1 --ioengine=libaio "
            f"--iodepth={one.depth} --runtime={FIO_SECONDS} --time_based "
            f"--output-format=terse --terse-version=3 | cut -d';' -f{FIO_FIELDS} | tr ';' ' '); "
            f'[ $# = 2 ] && echo "{FIO_MARK.decode()}$(($1 + $2)) ."; }}'
        )
    unpack = f"dpkg --unpack --force-all {MOUNT}/*.deb >/dev/null 2>&1; sync"
    lines.append(f"{UNPACK}() {{ {unpack}; }}")
    return "".join(f"{line}\n" for line in lines).encode()
