"""The initial root file systems of guests, assembled from Debian's packages and our scripts."""

import lzma
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from hospes.base.errors import HospesError
from hospes.guests import init_script
from hospes.guests.agent_script import AGENT_SCRIPT
from hospes.guests.busybox import applet_links
from hospes.guests.cpio import write_archive
from hospes.guests.deb import Package
from hospes.guests.module_signature import unsigned
from hospes.guests.tree import Entry, Tree, character_device, directory, fifo, regular, symlink

BUSYBOX: Final = "usr/bin/busybox"
FOLDERS: Final = ("dev", "etc", "mnt", "proc", "root", "run", "sys", "usr/bin", "usr/lib", "var")
# Debian's merged /usr: a program is found by either of its customary paths.
MERGED: Final = (("bin", "usr/bin"), ("lib", "usr/lib"), ("sbin", "usr/sbin"))
ACCOUNTS: Final = (
    ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
    ("etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"),
    ("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
)
LEFT_OUT: Final = ("usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/lintian/")
# Debian's riscv64 kernel has virtio, PCI and the console built
# in, but not MMIO slots, the entropy device, disks, balloon, network cards, shared folders and
# sockets.
DRIVERS: Final = (
    "drivers/virtio/virtio_mmio",
    "drivers/char/hw_random/virtio-rng",
    "drivers/block/virtio_blk",
    "drivers/virtio/virtio_balloon",
    "drivers/net/virtio_net",
    "drivers/net/net_failover",
    "net/core/failover",
)
# Loaded by the kernel when one is mounted; with what each needs, before which that must be there.
FILE_SYSTEMS: Final = MappingProxyType(
    {
        "fs/ext4/ext4": ("fs/jbd2/jbd2", "fs/mbcache", "lib/crc16", "crypto/crc32c_generic"),
        "fs/jbd2/jbd2": ("crypto/crc32c_generic",),
        "fs/mbcache": (),
        "lib/crc16": (),
        "crypto/crc32c_generic": (),
        "fs/9p/9p": ("net/9p/9pnet", "fs/netfs/netfs"),
        "fs/netfs/netfs": (),
        "net/9p/9pnet": (),
        "net/9p/9pnet_virtio": ("net/9p/9pnet",),
    }
)
# Loaded by the kernel when a program makes its first AF_VSOCK socket.
SOCKETS: Final = MappingProxyType(
    {
        "net/vmw_vsock/vmw_vsock_virtio_transport": (
            "net/vmw_vsock/vmw_vsock_virtio_transport_common",
            "net/vmw_vsock/vsock",
        ),
        "net/vmw_vsock/vmw_vsock_virtio_transport_common": ("net/vmw_vsock/vsock",),
        "net/vmw_vsock/vsock": (),
    }
)
MODULES: Final = (*DRIVERS, *FILE_SYSTEMS, *SOCKETS)
SELDOM: Final = frozenset((*FILE_SYSTEMS, *SOCKETS))
DISC: Final = MappingProxyType(
    {"fs/isofs/isofs": ("drivers/cdrom/cdrom",), "drivers/cdrom/cdrom": ()}
)
INSTALLER_MODULES: Final = (*MODULES, *DISC)
NETWORK: Final = MappingProxyType(
    {
        "drivers/net/virtio_net": ("drivers/net/net_failover", "net/core/failover"),
        "drivers/net/net_failover": ("net/core/failover",),
    }
)
NEEDED: Final = MappingProxyType({**FILE_SYSTEMS, **DISC, **NETWORK, **SOCKETS})
ALIASES: Final = (
    ("fs-ext2", "ext4"),
    ("fs-ext3", "ext4"),
    ("fs-ext4", "ext4"),
    ("crypto-crc32c", "crc32c_generic"),
    ("fs-9p", "9p"),
    ("9p-virtio", "9pnet_virtio"),
    ("net-pf-40", "vmw_vsock_virtio_transport"),
)


def base_tree() -> Tree:
    """Directories, device nodes for the time before /dev is mounted, and accounts."""
    tree = Tree()
    tree.add(*(directory(path) for path in FOLDERS), directory("tmp", 0o1777))
    tree.add(*(symlink(path, target) for path, target in MERGED))
    tree.add(character_device("dev/console", 5, 1), character_device("dev/null", 1, 3, 0o666))
    tree.add(*(regular(path, text.encode()) for path, text in ACCOUNTS))
    return tree


def scripts(hostname: str) -> list[Entry]:
    """What we add: the first process, the agent, and their settings."""
    return [
        regular(init_script.INIT_PATH, init_script.INIT_SCRIPT.encode(), 0o755),
        regular(init_script.AGENT_PATH, AGENT_SCRIPT.encode(), 0o755),
        fifo(init_script.ERRORS_PATH),
        regular("etc/hostname", f"{hostname}\n".encode()),
        *(regular(path, text.encode()) for path, text in init_script.SETTINGS),
    ]


def add_busybox(tree: Tree, package: Package) -> None:
    """The program and a link for each applet; an applet never takes another program's place."""
    programs = list(package.files(lambda path: path == BUSYBOX))
    if not programs:
        raise HospesError(f"The package {package.path.name} does not contain /{BUSYBOX}.")
    tree.add(programs[0])
    tree.add(*(link for link in applet_links(programs[0].data) if link.path not in tree.entries))
    if "usr/sbin" not in tree.entries:
        tree.add(symlink("usr/sbin", "bin"))
    elif "usr/sbin/modprobe" not in tree.entries:  # where the kernel looks for it
        tree.add(symlink("usr/sbin/modprobe", "../bin/busybox"))


def add_kernel(
    tree: Tree,
    package: Package,
    kernel: Path,
    modules: Sequence[str] = MODULES,
    *,
    quick: bool = False,
) -> None:
    """Write the package's kernel, as it is, to the file `kernel`; add the modules guests need.

    With `quick`, the modules are loaded soonest: they have no signatures to be checked.
    """
    files = {e.path: e for e in package.files(_of_the_kernel(modules)) if e.is_regular}
    images = [path for path in files if path.startswith("boot/")]
    if len(images) != 1:
        raise HospesError(f"The package {package.path.name} has {len(images)} kernels, not one.")
    kernel.write_bytes(files[images[0]].data)
    paths: dict[str, str] = {}
    folder = ""
    for path, entry in files.items():
        if path in images:
            continue
        folder, _, inside = path.partition("/kernel/")
        name, _, suffix = inside.partition(".ko")
        data = entry.data
        # What most guests never load stays compressed.
        if suffix == ".xz" and (quick or name not in SELDOM):
            data, suffix = lzma.decompress(data), ""
        if quick:
            data = unsigned(data)
        paths[name] = f"kernel/{name}.ko{suffix}"
        tree.add(regular(f"{folder}/{paths[name]}", data))
    if paths:
        _add_module_lists(tree, folder, paths)


def _add_module_lists(tree: Tree, folder: str, paths: dict[str, str]) -> None:
    """What modprobe reads: paths of modules with those they need, and other names for them."""
    lines = []
    for name, path in paths.items():
        needed = (paths[other] for other in NEEDED.get(name, ()) if other in paths)
        lines.append(" ".join((f"{path}:", *needed)))
    aliases = [f"alias {alias} {module}" for alias, module in ALIASES]
    for file, content in (("modules.dep", lines), ("modules.alias", aliases)):
        tree.add(regular(f"{folder}/{file}", "".join(f"{line}\n" for line in content).encode()))


def _of_the_kernel(modules: Sequence[str]) -> Callable[[str], bool]:
    return lambda path: (
        path.startswith(("boot/vmlinu", "boot/Image"))
        or any(f"/kernel/{module}.ko" in path for module in modules)
    )


def write_initramfs(entries: Iterable[Entry], path: Path) -> None:
    """Write it uncompressed: the guest would pay for unpacking at every boot."""
    with path.open("wb", buffering=1 << 20) as out:
        write_archive(entries, out)


def add_package(tree: Tree, package: Package) -> None:
    """A package's files, without its documentation; what is there already stays."""
    for entry in package.files(lambda path: not path.startswith(LEFT_OUT)):
        if entry.path not in tree.entries:
            tree.add(entry)
