"""How an image is made from Debian's packages."""

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hospes.base.progress import Progress
from hospes.guests import initramfs, installer
from hospes.guests.apt import PrivateApt
from hospes.guests.deb import Package
from hospes.guests.store import Manifest, PackageRecord, record_file
from hospes.guests.tree import Tree

KERNEL_PACKAGE: Final = "linux-image-riscv64"
BUSYBOX_PACKAGE: Final = "busybox-static"
# Half of what Debian's kernel executes until its first process is trying out its own cryptography.
APPEND: Final = "console=ttyS0 quiet cryptomgr.notests"
MEBIBYTE: Final = 1 << 20


@dataclass(frozen=True)
class Recipe:
    """How an image is made. `packages` are unpacked with all they depend on.

    With `ready_made`, that package has kernel and initrd of a system that is not ours.
    """

    name: str
    description: str
    memory_bytes: int
    packages: tuple[str, ...] = ()
    listed: bool = True
    ready_made: str = ""

    @property
    def modules(self) -> tuple[str, ...]:
        """The kernel modules that have to be in the initrd."""
        return () if self.ready_made else initramfs.MODULES

    @property
    def digest(self) -> str:
        """Changes with everything that `_refresh` can bring up to date in an image."""
        scripts = [] if self.ready_made else initramfs.scripts(self.name)
        parts = [(script.path, script.data) for script in scripts]
        return hashlib.sha256(repr((parts, APPEND, self.memory_bytes)).encode()).hexdigest()


class ImageBuilder:
    """Makes an image; `work` is a directory for apt and the packages, removed by the caller."""

    def __init__(self, work: Path, progress: Progress) -> None:
        self.apt = PrivateApt(work / "apt")
        self.work = work
        self.progress = progress
        self.used: dict[str, PackageRecord] = {}

    def build(self, recipe: Recipe, directory: Path) -> Manifest:
        """Write kernel and initrd of an image into the directory."""
        self.apt.update(self.progress)
        if recipe.ready_made:
            [package] = self._fetch([recipe.ready_made], self.apt.download)
            self.progress("Unpacking the installer", 0, 0)
            installer.unpack_boot_files(package, directory)
        else:
            self._assemble(recipe, directory)
        files = {name: record_file(directory / name) for name in ("kernel", "initrd")}
        self.progress("Writing the image", 1, 1)
        return Manifest(
            name=recipe.name,
            recipe=recipe.digest,
            release=self.apt.release,
            packages=tuple(self.used[name] for name in sorted(self.used)),
            files=files,
            memory_bytes=recipe.memory_bytes,
            append=APPEND,
            modules=recipe.modules,
            terminals=installer.TERMINALS if recipe.ready_made else (),
        )

    def _assemble(self, recipe: Recipe, directory: Path) -> None:
        """Debian's kernel, and an initrd of its programs and our scripts."""
        tree = initramfs.base_tree()
        self._unpack(recipe.packages, tree)
        [busybox] = self._fetch([BUSYBOX_PACKAGE], self.apt.download)
        initramfs.add_busybox(tree, busybox)
        versioned = [n for n in self.apt.depends(KERNEL_PACKAGE) if n.startswith("linux-image-")]
        [kernel] = self._fetch(versioned[:1] or [KERNEL_PACKAGE], self.apt.download)
        self.progress("Unpacking the kernel", 0, 0)
        initramfs.add_kernel(tree, kernel, directory / "kernel")
        tree.replace(*initramfs.scripts(recipe.name))
        self.progress("Writing the image", 0, 0)
        initramfs.write_initramfs(tree.all(), directory / "initrd")

    def _fetch(
        self, names: Sequence[str], fetch: Callable[[Sequence[str], Path, Progress], list[Path]]
    ) -> list[Package]:
        into = Path(tempfile.mkdtemp(dir=self.work))
        packages = [Package(path) for path in fetch(names, into, self.progress)]
        for package in packages:
            control = package.control()
            name = control["Package"]
            self.used[name] = PackageRecord(name, control["Version"], package.sha256())
        return packages

    def _unpack(self, names: Sequence[str], tree: Tree) -> None:
        """Unpack packages and all they depend on; their maintainer scripts do not run."""
        packages = self._fetch(names, self.apt.download_closure) if names else []
        for done, package in enumerate(packages):
            self.progress("Unpacking the packages", done, len(packages))
            initramfs.add_package(tree, package)
        if packages:
            self.progress("Unpacking the packages", len(packages), len(packages))
