"""A whole Debian on a root disk, installed from its packages inside a guest of our own."""

import tarfile
import uuid
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Final

from hospes.base.errors import HospesError
from hospes.base.progress import Progress
from hospes.guests import agent_kinds, debian_settings, eatmydata, initramfs
from hospes.guests.apt import PrivateApt
from hospes.guests.build_log import BuildLog
from hospes.guests.builder import APPEND as COMMON_APPEND
from hospes.guests.builder import BUSYBOX_PACKAGE, KERNEL_PACKAGE, MEBIBYTE
from hospes.guests.closure import Archive, Closure, PackageFile, check_file
from hospes.guests.cpio import write_archive
from hospes.guests.deb import Package
from hospes.guests.debian_recipe import APPEND, BASE_PACKAGES, DebianRecipe, Driver
from hospes.guests.debian_script import INSTALL_SCRIPT, START
from hospes.guests.iso9660 import IsoWriter
from hospes.guests.kept_packages import keep
from hospes.guests.light_modules import write_light_modules
from hospes.guests.plain_deb import write_plain
from hospes.guests.store import Manifest, PackageRecord, locked, record_file
from hospes.spec.disk import DiskFormat, DiskSpec
from hospes.spec.vm import VmSpec
from hospes.storage.convert import convert_image
from hospes.storage.qcow2.header import Compression
from hospes.storage.qcow2.making import Qcow2Options

TOOLS: Final = "e2fsprogs"
BUILD_APPEND: Final = f"{COMMON_APPEND} panic=-1 hospes.agent=hvc0 hospes.disks"
BUILD_MEMORY_BYTES: Final = 1024 * MEBIBYTE
INITRD_DISK_BYTES: Final = 512 * MEBIBYTE
JOURNAL_DISK_BYTES: Final = 128 * MEBIBYTE
NAMESPACE: Final = uuid.UUID("6d1d8e5c-6f52-4b4e-8a1c-5a2e0e6f3b11")


class DebianBuilder:
    """Builds one image; `work` is removed by the caller, `packages` and `log` are kept."""

    def __init__(
        self, work: Path, packages: Path, log: Path, driver: Driver, progress: Progress
    ) -> None:
        self.apt = PrivateApt(work / "apt")
        self.work, self.packages, self.log = work, packages, log
        self.driver, self.progress = driver, progress

    def build(self, recipe: DebianRecipe, directory: Path) -> Manifest:
        """Write disk, kernel and initrd of an image into the directory."""
        self.apt.update(self.progress)
        self.progress("Resolving the packages", 0, 0)
        archive = Archive(self.apt)
        closure = archive.closure((*BASE_PACKAGES, *recipe.packages))
        busybox, eatmydata_file = archive.file(BUSYBOX_PACKAGE), archive.file(eatmydata.PACKAGE)
        tools = archive.dependencies([TOOLS], [file.name for file in closure.files])
        self.progress("Resolving the packages", 1, 1)
        self._fetch(closure, busybox, eatmydata_file)
        kernel = self._plain_kernel(closure)
        source = self.work / "source.iso"
        library = eatmydata.library(Package(self.packages / eatmydata_file.file))
        self._write_source(recipe, closure, kernel, library, source)
        self._write_initramfs(closure, busybox, tools, kernel, directory / "kernel")
        kernel.unlink()
        disk, initrd = self.work / "disk.raw", self.work / "initrd.raw"
        journal = self.work / "journal.raw"
        sizes = (recipe.disk_bytes, INITRD_DISK_BYTES, JOURNAL_DISK_BYTES)
        for path, size in zip((disk, initrd, journal), sizes, strict=True):
            with path.open("wb") as file:
                file.truncate(size)
        self._install(closure, directory / "kernel", disk, source, initrd, journal)
        _take_initrd(initrd, directory / "initrd")
        source.unlink()
        convert_image(
            disk, directory / "disk.qcow2", source_format=DiskFormat.RAW, compressed=True,
            options=Qcow2Options(compression=Compression.ZSTD), progress=self.progress,
        )  # fmt: skip
        return self._manifest(recipe, closure, directory)

    def _fetch(self, closure: Closure, *more: PackageFile) -> None:
        """Have every package in the cache, the very file that the signed lists name."""
        (self.packages / "partial").mkdir(parents=True, exist_ok=True)
        names = [file.name for file in closure.files]
        with locked(self.packages.parent, self.packages.name, self.progress):
            self.apt.download_closure(names, self.packages, self.progress)
            missing = [file.name for file in more if not (self.packages / file.file).exists()]
            if missing:
                self.apt.download(missing, self.packages, self.progress)
            keep(self.packages, (*closure.files, *more))
        for file in (*closure.files, *more):
            check_file(file, self.packages, Package(self.packages / file.file).sha256())

    def _plain_kernel(self, closure: Closure) -> Path:
        """The kernel's package, which is read several times, decompressed once."""
        self.progress("Unpacking the packages", 0, len(closure.files) + 1)
        path = self.work / "kernel.deb"
        with path.open("w+b") as out:
            write_plain(self.packages / _kernel(closure).file, out)
        return path

    def _write_source(
        self, recipe: DebianRecipe, closure: Closure, kernel: Path, library: bytes, path: Path
    ) -> None:
        """The read-only disk from which the guest installs."""
        task = "Unpacking the packages"
        epoch_s = max(Package(self.packages / file.file).made_s() for file in closure.files)
        identity = str(uuid.uuid5(NAMESPACE, recipe.name))
        text = debian_settings.settings(epoch_s, identity, closure.foundation)
        late = debian_settings.late_files(
            recipe.name,
            self.apt.mirror,
            debian_settings.security_mirror(),
            [file.name for file in closure.files],
        )
        steps = "".join(f"{step.verb} {' '.join(step.names)}\n" for step in closure.steps)
        with path.open("w+b") as out:
            image = IsoWriter(out, "source")
            for done, file in enumerate(closure.files):
                self.progress(task, done, len(closure.files) + 1)
                package = kernel if file == _kernel(closure) else self.packages / file.file
                image.add(f"{file.name}.deb", partial(write_plain, package))
            modules = self._light_modules(closure, kernel)
            image.add("modules", lambda out: out.write(modules.read_bytes()))
            image.add(eatmydata.FILE, lambda out: out.write(library))
            image.add("settings", lambda out: out.write(text.encode()))
            image.add("steps", lambda out: out.write(steps.encode()))
            image.add("install", lambda out: out.write(INSTALL_SCRIPT.encode()))
            image.add("before", lambda out: write_archive(debian_settings.early_files(), out))
            image.add("after", lambda out: write_archive(late, out))
            image.finish()
        self.progress(task, 1, 1)

    def _light_modules(self, closure: Closure, kernel: Path) -> Path:
        """The kernel's modules for depmod, kept beside its package."""
        path = self.packages / f"{_kernel(closure).file}.depmod"
        if not path.exists():
            new = self.work / "modules"
            with new.open("wb") as out:
                write_light_modules(kernel, out)
            new.replace(path)
        return path

    def _write_initramfs(
        self, closure: Closure, busybox: PackageFile, tools: Collection[str], plain: Path,
        kernel: Path,
    ) -> None:  # fmt: skip
        """What the guest that installs boots with."""
        tree = initramfs.base_tree()
        for file in closure.files:
            if file.name in tools:
                initramfs.add_package(tree, Package(self.packages / file.file))
        initramfs.add_busybox(tree, Package(self.packages / busybox.file))
        modules = initramfs.INSTALLER_MODULES
        initramfs.add_kernel(tree, Package(plain), kernel, modules, quick=True)
        tree.replace(*initramfs.scripts("installer"))
        initramfs.write_initramfs(tree.all(), self.work / "initramfs")

    def _install(
        self, closure: Closure, kernel: Path, disk: Path, source: Path, *blank: Path
    ) -> None:
        spec = VmSpec(
            kernel=kernel,
            initrd=self.work / "initramfs",
            append=BUILD_APPEND,
            memory_bytes=BUILD_MEMORY_BYTES,
            disks=(
                DiskSpec(disk, DiskFormat.RAW),
                DiskSpec(source, DiskFormat.RAW, read_only=True),
                *(DiskSpec(path, DiskFormat.RAW) for path in blank),
            ),
        )
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as out:
            steps = 2 * len(closure.files)
            log = BuildLog(out, steps, self.progress)
            code = self.driver(spec, START, log.take)
            log.end()
        if code:
            raise _failure(log, self.log)

    def _manifest(self, recipe: DebianRecipe, closure: Closure, directory: Path) -> Manifest:
        files = {name: record_file(directory / name) for name in ("kernel", "initrd", "disk.qcow2")}
        return Manifest(
            name=recipe.name,
            recipe=recipe.digest,
            release=self.apt.release,
            packages=tuple(
                PackageRecord(file.name, file.version, file.sha256)
                for file in sorted(closure.files, key=lambda file: file.name)
            ),
            files=files,
            memory_bytes=recipe.memory_bytes,
            append=APPEND,
            agent=agent_kinds.QEMU,
            cloud_init=any(file.name == "cloud-init" for file in closure.files),
            disk="disk.qcow2",
            description=recipe.description,
            wanted=recipe.packages,
            disk_bytes=recipe.disk_bytes,
        )


def _kernel(closure: Closure) -> PackageFile:
    """The package with the kernel itself, not the one that depends on the newest."""
    for file in closure.files:
        if file.name.startswith("linux-image-") and file.name != KERNEL_PACKAGE:
            return file
    raise HospesError(f"The package {KERNEL_PACKAGE} brings no kernel; try another mirror.")


def _take_initrd(disk: Path, initrd: Path) -> None:
    """The one file in the tar archive that the guest wrote to a disk."""
    with tarfile.open(disk, "r:") as archive:
        member = archive.next()
        content = archive.extractfile(member) if member else None
        if content is None:
            raise HospesError("The guest made no initramfs; report this with the build's log.")
        initrd.write_bytes(content.read())


def _failure(log: BuildLog, path: Path) -> HospesError:
    said = "; ".join(log.last(3)) or "it said nothing"
    if log.failed_package:
        return HospesError(
            f"The package {log.failed_package} cannot be installed ({said}): leave it out; "
            f"the whole log is {path}."
        )
    return HospesError(f"Installing failed in the guest ({said}); the whole log is {path}.")
