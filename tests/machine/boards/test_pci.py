"""PCI on the board: its node in the device tree, its windows, disks behind it."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.machine.boards.test_virt import QEMU, Outside, image

from hospes.base import wire
from hospes.base.clock import ManualClock
from hospes.base.errors import HospesError
from hospes.firmware import fdt
from hospes.firmware.image import BootFiles, parse_kernel
from hospes.machine.boards.pci import high_window
from hospes.machine.boards.surroundings import Surroundings
from hospes.machine.boards.virt import Board, build
from hospes.spec.disk import VirtioBus
from hospes.spec.vm import DISKS_MAX, InterruptKind, VmSpec

ECAM = 0x3000_0000
RAM_BASE = 0x8000_0000


class Content:
    """A disk's back end that is never asked for anything."""

    size_bytes, read_only = 1 << 20, False


@dataclass
class Disk:
    """What a board is given for a disk."""

    name: str
    bus: VirtioBus | None = None
    serial: str = ""
    device = Content()
    executor = None


def make(
    disks: list[Disk], kind: InterruptKind = InterruptKind.AIA, memory: int = 512 << 20
) -> Board:
    outside = Outside()
    surroundings = Surroundings(
        memory=outside,
        lines=[outside.line(0), outside.line(1)],
        timebase=lambda: 0,
        clock=ManualClock(),
        console=outside,
        agent=outside,
        entropy=outside,
        on_power=outside.events.append,
        ports=[print, print],
        disks=disks,
    )
    spec = VmSpec(kernel=Path("k"), cpus=2, memory_bytes=memory, interrupts=kind)
    return build(spec, BootFiles(parse_kernel(image(), "k"), None), surroundings)


def identities(board: Board) -> list[int]:
    """Device IDs by slot."""
    ids = [board.bus.read(ECAM + (slot << 15), 4) for slot in range(32)]
    return [i >> 16 for i in ids if i is not None and i != 0xFFFF_FFFF]


def test_disks_follow_in_order() -> None:
    board = make([Disk("disk0"), Disk("disk1", VirtioBus.MMIO), Disk("disk2", VirtioBus.PCI)])
    assert identities(board) == [0x1044, 0x1043, 0x1042, 0x1042]
    assert [board.bus.read(0x1000_1008 + n * 0x1000, 4) for n in range(3)] == [2, 0, 0]
    assert list(board.functions) == ["entropy", "agent", "disk0", "disk1", "disk2"]


def test_as_many_disks_as_may_be_asked_for() -> None:
    assert len(identities(make([Disk(f"disk{n}") for n in range(DISKS_MAX)]))) == DISKS_MAX + 2
    with pytest.raises(HospesError, match="bus=pci"):
        make([Disk(f"disk{n}", VirtioBus.MMIO) for n in range(9)])


@pytest.mark.parametrize("gib", [1, 14, 15, 1023])
def test_the_high_window_is_clear_of_memory(gib: int) -> None:
    window = high_window(gib << 30)
    assert window.base >= RAM_BASE + (gib << 30)
    assert window.base % window.size == 0
    assert window.base + window.size <= 1 << 41
    assert high_window(1 << 30).base == 0x4_0000_0000


@pytest.mark.parametrize("kind", list(InterruptKind))
def test_state_of_functions_is_among_the_parts(kind: InterruptKind) -> None:
    board, other = make([Disk("disk0")], kind), make([Disk("disk0")], kind)
    config = ECAM + (3 << 15)
    for offset, value in ((0x10, 0), (0x14, 4), (0x04, 6)):
        board.bus.write(config + offset, 4, value)
    assert board.bus.read(0x4_0000_0012, 2) == 2  # a queue per hart
    for name, part in board.parts.items():
        wire.restore(other.parts[name], wire.encode(part))
    assert other.bus.read(0x4_0000_0012, 2) == 0xFFFF
    other.settle()
    assert other.bus.read(0x4_0000_0012, 2) == 2


@pytest.mark.skipif(shutil.which("dtc") is None, reason="dtc is not installed")
@pytest.mark.parametrize("kind", list(InterruptKind))
def test_dtc_accepts_the_tree_without_a_warning(kind: InterruptKind) -> None:
    tree = make([Disk("disk0")], kind, memory=1 << 40).fdt
    command = ["dtc", "-I", "dtb", "-O", "dts"]
    assert subprocess.run(command, input=tree, capture_output=True, check=True).stderr == b""


@pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed")
@pytest.mark.parametrize("kind", list(InterruptKind))
@pytest.mark.parametrize("gib", [2, 20])
def test_the_node_is_qemus(kind: InterruptKind, gib: int, tmp_path: Path) -> None:
    path = tmp_path / "virt.dtb"
    aia = "aplic-imsic" if kind is InterruptKind.AIA else "none"
    command = [QEMU, "-M", f"virt,aia={aia},dumpdtb={path}", "-smp", "2", "-m", f"{gib}G"]
    subprocess.run(command, capture_output=True, check=True)
    ours = fdt.read(make([Disk("disk0")], kind, memory=gib << 30).fdt).find("soc/pci@30000000")
    theirs = fdt.read(path.read_bytes()).find("soc/pci@30000000")
    assert ours.properties.keys() == theirs.properties.keys()
    for name in ours.properties.keys() - {"interrupt-map", "msi-parent"}:
        assert ours.properties[name] == theirs.properties[name], name
    assert without_phandles(ours) == without_phandles(theirs)


def without_phandles(node: fdt.Node) -> list[int]:
    """The interrupt map, whose entries name the controller as their fifth cell."""
    cells = node.cells("interrupt-map")
    length = len(cells) // 16
    return [cell for at, cell in enumerate(cells) if at % length != 4]
