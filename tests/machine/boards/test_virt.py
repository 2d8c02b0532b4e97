"""The board as software finds it: addresses, interrupts, device tree."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from hospes.base import wire
from hospes.base.clock import ManualClock
from hospes.devices.irq.line import MTIP, SEIP
from hospes.devices.power import PowerEvent, PowerKind
from hospes.firmware import fdt
from hospes.firmware.image import BootFiles, Segment, parse_kernel
from hospes.machine.boards.virt import Board, Surroundings, build
from hospes.machine.boards.virt_tree import isa_string
from hospes.spec.vm import VmSpec

QEMU = "qemu-system-riscv64"


class Outside:
    """Everything a board is plugged into, remembering what it does."""

    def __init__(self) -> None:
        self.mip = [0, 0]
        self.output = bytearray()
        self.events: list[PowerEvent] = []
        self.ram: dict[int, bytes] = {}
        self.ticks = 0

    def line(self, hart: int):
        def drive(bit: int, level: bool) -> None:
            self.mip[hart] = self.mip[hart] | bit if level else self.mip[hart] & ~bit

        return drive

    def read(self, gpa: int, count: int = 0) -> bytes:
        """Memory's, or with one argument the entropy source's."""
        return self.ram[gpa][:count] if count else bytes(range(gpa))

    def write(self, gpa: int, data: bytes = b"") -> int:
        """Memory's, or with one argument a back end's."""
        if isinstance(gpa, bytes):
            self.output += gpa
            return len(gpa)
        self.ram[gpa] = data
        return 0


def image() -> bytes:
    return struct.pack("<IIQQQIIQ8s4sI", 0x6F, 0, 0x20_0000, 0x40_0000, 0, 2, 0, 0,
                       b"RISCV\0\0\0", b"RSC\x05", 0) + bytes(64)


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
def board(outside: Outside) -> Board:
    return make(outside)


def make(outside: Outside, **wanted: bool) -> Board:
    spec = VmSpec(kernel=Path("k"), initrd=Path("i"), append="console=ttyS0", cpus=2,
                  memory_bytes=512 << 20, **wanted)
    files = BootFiles(parse_kernel(image(), "k"), b"x" * 1000)
    surroundings = Surroundings(
        memory=outside,
        lines=[outside.line(0), outside.line(1)],
        timebase=lambda: outside.ticks,
        clock=ManualClock(),
        console=outside,
        agent=outside,
        entropy=outside,
        on_power=outside.events.append,
    )
    return build(spec, files, surroundings)


def test_devices_answer_at_qemus_addresses(board: Board, outside: Outside) -> None:
    bus = board.bus
    assert bus.read(0x1000_0005, 1) == 0x60
    bus.write(0x0200_4008, 8, 5)
    outside.ticks = 5
    bus.tick()
    assert outside.mip == [0, MTIP]
    bus.write(0x10_0000, 4, 0x5555)
    assert outside.events == [PowerEvent(PowerKind.OFF)]
    assert bus.read(0x8000_0000, 4) is None
    assert bus.read(0x1000_0100, 1) is None
    for base in range(0x1000_1000, 0x1000_9000, 0x1000):
        assert bus.read(base, 4) == 0x7472_6976
    assert [bus.read(0x1000_1008 + n * 0x1000, 4) for n in range(3)] == [4, 3, 0]
    assert bus.read(0x1000_9000, 4) is None


def test_ports_and_a_balloon_are_there_when_asked_for(board: Board, outside: Outside) -> None:
    assert (board.ports, board.balloon) == (None, None)
    board = make(outside, ports=True, balloon=True)
    assert [board.bus.read(0x1000_1008 + n * 0x1000, 4) for n in range(5)] == [4, 3, 3, 5, 0]
    assert board.ports is board.functions["ports"]
    assert board.balloon is board.functions["balloon"]
    for part in board.parts.values():
        wire.restore(part, wire.encode(part))


def test_uart_interrupt_reaches_the_hart(board: Board, outside: Outside) -> None:
    board.bus.write(0x0C00_0028, 4, 1)
    board.bus.write(0x0C00_2080, 4, 1 << 10)
    board.bus.write(0x1000_0001, 1, 2)
    assert outside.mip[0] == SEIP
    assert board.bus.read(0x0C20_1004, 4) == 10


def test_loading(board: Board, outside: Outside) -> None:
    board.load(outside)
    assert outside.ram[0x8020_0000] == image()
    assert outside.ram[board.placement.fdt_gpa] == board.fdt
    initrd = board.placement.initrd
    assert initrd
    assert Segment(initrd[0], b"x" * 1000, 1000) in board.placement.segments


def test_every_part_can_be_saved_and_restored(board: Board) -> None:
    board.console.receive(b"typed")
    states = {name: wire.encode(part) for name, part in board.parts.items()}
    assert board.console.take(5) == b"typed"
    for name, part in board.parts.items():
        wire.restore(part, states[name])
    assert board.console.take(5) == b"typed"


def test_tree_says_what_the_board_is(board: Board) -> None:
    root = fdt.read(board.fdt)
    chosen = root.find("chosen")
    assert chosen.text("bootargs") == "console=ttyS0"
    assert chosen.properties["rng-seed"] == bytes(range(32))
    start = struct.unpack(">Q", chosen.properties["linux,initrd-start"])[0]
    assert (start, start + 1000) == board.placement.initrd
    assert root.find("memory@80000000").cells("reg") == [0, 0x8000_0000, 0, 512 << 20]
    cpu = root.find("cpus/cpu@1")
    assert cpu.text("riscv,isa") == isa_string() == (
        "rv64imafdc_zicbom_zicboz_zicntr_zicond_zicsr_zifencei_zba_zbb_zbs_sstc_svadu_svinval"
    )
    assert cpu.text("mmu-type") == "riscv,sv57"
    assert root.find("soc/plic@c000000").cells("interrupts-extended") == [1, 11, 1, 9, 2, 11, 2, 9]


@pytest.mark.skipif(shutil.which("dtc") is None, reason="dtc is not installed")
def test_dtc_accepts_the_tree_without_a_warning(board: Board) -> None:
    command = ["dtc", "-I", "dtb", "-O", "dts"]
    done = subprocess.run(command, input=board.fdt, capture_output=True, check=True)
    assert done.stderr == b""


@pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed")
def test_tree_agrees_with_qemus_where_both_have_a_node(board: Board, tmp_path: Path) -> None:
    path = tmp_path / "virt.dtb"
    command = [QEMU, "-M", f"virt,dumpdtb={path}", "-smp", "2", "-m", "512M", "-display", "none"]
    subprocess.run(command, capture_output=True, check=True)
    ours, theirs = fdt.read(board.fdt).find("soc"), fdt.read(path.read_bytes()).find("soc")
    for node in ours.children:
        other = theirs.find(node.name)
        assert node.properties["reg"] == other.properties["reg"]
        assert node.properties["compatible"] == other.properties["compatible"]
        assert node.properties.get("interrupts") == other.properties.get("interrupts")
