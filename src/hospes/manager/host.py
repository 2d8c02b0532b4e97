"""The capabilities of this host, each found by one probe."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hospes.base.paths import cache_directory
from hospes.base.programs import find_program
from hospes.base.rights import may_manage_networks

MEBIBYTE: Final = 1 << 20
CACHE_FREE_BYTES: Final = 512 * MEBIBYTE
MEMORY_BYTES: Final = 1024 * MEBIBYTE
NATIVE_MACHINES: Final = ("x86_64", "AMD64")


@dataclass(frozen=True)
class Capability:
    """One thing a host may have: whether it does, who needs it, and what happens without it.

    `needed_for` is "" for what this version does not use.
    """

    name: str
    present: bool
    found: str
    needed_for: str
    without: str
    required: bool = False


@dataclass(frozen=True)
class Probe:
    """How one capability is looked for; `look` tells what was found, "" when it is absent."""

    name: str
    look: Callable[[], str]
    needed_for: str = ""
    without: str = ""
    required: bool = False

    def examine(self) -> Capability:
        """Look now."""
        found = self.look()
        return Capability(
            self.name, bool(found), found, self.needed_for, self.without, self.required
        )


def survey() -> tuple[Capability, ...]:
    """Every capability Hospes knows to look for, as this host has it now."""
    return tuple(probe.examine() for probe in PROBES)


def _program(name: str) -> Callable[[], str]:
    return lambda: find_program(name)


def _kvm() -> str:
    device = Path("/dev/kvm")
    if not device.exists():
        return ""
    return "/dev/kvm" if os.access(device, os.R_OK | os.W_OK) else ""


def _host_processor() -> str:
    machine = os.uname().machine
    return machine if machine in NATIVE_MACHINES else ""


def _processor_features() -> str:
    """The features of the host that floating point in generated code wants."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    lines = [line for line in text.splitlines() if line.startswith(("flags", "Features"))]
    flags = set(lines[0].split(":", 1)[1].split()) if lines else set()
    wanted = [name for name in ("fma", "bmi2", "avx2") if name in flags]
    return ", ".join(wanted) if "fma" in wanted else ""


def _llvm() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"llvmlite {version('llvmlite')}"
    except PackageNotFoundError:
        return ""


def _huge_pages() -> str:
    try:
        text = Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text(encoding="ascii")
    except OSError:
        return ""
    chosen = text.partition("[")[2].partition("]")[0]
    return "" if chosen in ("", "never") else f"transparent, {chosen}"


def _nearest_existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _cache_space() -> str:
    try:
        usage = shutil.disk_usage(_nearest_existing(cache_directory()))
    except OSError:
        return ""
    if usage.free < CACHE_FREE_BYTES:
        return ""
    return f"{usage.free // MEBIBYTE} MiB free for {cache_directory()}"


def _memory() -> str:
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return ""
    sizes = {line.split(":")[0]: line.split()[1] for line in text.splitlines() if ":" in line}
    available = int(sizes.get("MemAvailable", "0")) * 1024
    return f"{available // MEBIBYTE} MiB available" if available >= MEMORY_BYTES else ""


def _tap() -> str:
    device = Path("/dev/net/tun")
    return str(device) if os.access(device, os.R_OK | os.W_OK) else ""


def _network_rights() -> str:
    return "this process has CAP_NET_ADMIN" if may_manage_networks() else ""


PROBES: Final = (
    Probe(
        "LLVM",
        _llvm,
        "turning instruction semantics into native code",
        "nothing runs: install it with 'pip install llvmlite'",
        required=True,
    ),
    Probe(
        "x86-64 processor",
        _host_processor,
        "guests' floating point at the host's speed",
        "the reference engine computes it, a thousand times slower",
    ),
    Probe(
        "processor features",
        _processor_features,
        "fused multiply-add at the host's speed",
        "a library function computes it",
    ),
    Probe(
        "memory",
        _memory,
        "guests of the usual size",
        "give guests less with --memory",
    ),
    Probe(
        "disk space",
        _cache_space,
        "images and native code in the cache",
        "free some, or name another place in HOSPES_CACHE",
    ),
    Probe(
        "huge pages",
        _huge_pages,
        "guest memory with fewer host TLB misses",
        "ordinary pages are used, somewhat slower",
    ),
    Probe(
        "apt-get",
        _program("apt-get"),
        "fetching the packages guests are made of",
        "only guests already in the cache and files of your own can be run",
    ),
    Probe(
        "gpgv",
        _program("gpgv"),
        "verifying the packages guests are made of",
        "only guests already in the cache and files of your own can be run",
    ),
    Probe(
        "TAP devices",
        _tap,
        "machines on a bridge or a TAP device of the host",
        "--network nat and --network switch:NAME need none",
    ),
    Probe(
        "passt",
        _program("passt"),
        "--network passt",
        "--network nat needs no program; or install it with 'apt-get install passt'",
    ),
    Probe(
        "virtiofsd",
        _program("virtiofsd"),
        "folders shared with the word virtiofs",
        "folders shared without it need no program; or install it with 'apt-get install virtiofsd'",
    ),
    Probe(
        "network rights",
        _network_rights,
        "networks made with --bridge, and machines on bridges of the host",
        "run as root for those; --network nat and other networks need none",
    ),
    Probe(
        "ip",
        _program("ip"),
        "networks made with --bridge",
        "install it with 'apt-get install iproute2', or make networks without --bridge",
    ),
    Probe(
        "nft",
        _program("nft"),
        "networks made with --bridge: who reaches whom, and the way outside",
        "install it with 'apt-get install nftables', or make networks without --bridge",
    ),
    Probe("/dev/kvm", _kvm),
    Probe("qemu-img", _program("qemu-img")),
    Probe("mke2fs", _program("mke2fs")),
)
