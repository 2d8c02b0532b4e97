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
from hospes.machine.boards.surroundings import Surroundings
from hospes.machine.boards.virt import Board, build
from hospes.machine.boards.virt_tree import isa_string
from hospes.spec.vm import InterruptKind, VmSpec

QEMU = "qemu-system-riscv64"


class Outside:
    """Everything a board is plugged into, remembering what it does."""

    def __init__(self) -> None:
        self.mip = [0, 0]
        self.output = bytearray()
        self.events: list[PowerEvent] = []
        self.ram: dict[int, bytes] = {}
        self.ticks = 0
        self.messages: list[tuple[int, int]] = []

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


@pytest.fixture(params=list(InterruptKind))
def kind(request: pytest.FixtureRequest) -> InterruptKind:
    return request.param


@pytest.fixture
def board(outside: Outside, kind: InterruptKind) -> Board:
    return make(outside, kind)


def make(outside: Outside, kind: InterruptKind, **wanted: bool) -> Board:
    spec = VmSpec(kernel=Path("k"), initrd=Path("i"), append="console=ttyS0", cpus=2,
                  memory_bytes=512 << 20, interrupts=kind, **wanted)
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
        ports=[lambda identity, hart=hart: outside.messages.append((hart, identity))
               for hart in range(2)],
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
    assert [bus.read(0x3000_0000 + (n << 15), 4) for n in (1, 2)] == [0x1044_1AF4, 0x1043_1AF4]
    assert bus.read(0x1000_9000, 4) is None


def test_ports_and_a_balloon_are_there_when_asked_for(
    board: Board, outside: Outside, kind: InterruptKind
) -> None:
    assert (board.ports, board.balloon) == (None, None)
    board = make(outside, kind, ports=True, balloon=True)
    ids = [board.bus.read(0x3000_0002 + (n << 15), 2) for n in range(1, 6)]
    assert ids == [0x1044, 0x1043, 0x1043, 0x1045, 0xFFFF]
    assert board.ports is board.functions["ports"]
    assert board.balloon is board.functions["balloon"]
    for part in board.parts.values():
        wire.restore(part, wire.encode(part))


only_plic = pytest.mark.parametrize("kind", [InterruptKind.PLIC], indirect=True)
only_aia = pytest.mark.parametrize("kind", [InterruptKind.AIA], indirect=True)


@only_plic
def test_uart_interrupt_reaches_the_hart(board: Board, outside: Outside) -> None:
    board.bus.write(0x0C00_0028, 4, 1)
    board.bus.write(0x0C00_2080, 4, 1 << 10)
    board.bus.write(0x1000_0001, 1, 2)
    assert outside.mip[0] == SEIP
    assert board.bus.read(0x0C20_1004, 4) == 10


@only_aia
def test_uart_interrupt_becomes_a_message(board: Board, outside: Outside) -> None:
    board.bus.write(0x0D00_0000, 4, 1 << 8)
    board.bus.write(0x0D00_0028, 4, 6)
    board.bus.write(0x0D00_3028, 4, 1 << 18 | 77)
    board.bus.write(0x0D00_1EDC, 4, 10)
    board.bus.write(0x1000_0001, 1, 2)
    assert outside.messages == [(1, 77)]
    assert board.bus.exits()["imsic"] == 1


@only_aia
def test_messages_reach_interrupt_files_and_nothing_else(board: Board, outside: Outside) -> None:
    send = board.interrupts.send_message
    assert send is not None
    for address in (0x2800_0000, 0x2800_1000, 0x2800_1004, 0x2800_1008, 0x2800_2000, 0x10_0000, 1):
        send(address, 0x5555)
    assert outside.messages == [(0, 0x5555), (1, 0x5555), (1, 0x5555_0000)]
    assert outside.events == []


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
    assert cpu.text("mmu-type") == "riscv,sv57"


@pytest.mark.parametrize(
    ("kind", "added"), [(InterruptKind.PLIC, ""), (InterruptKind.AIA, "_ssaia")], indirect=["kind"]
)
def test_extensions_are_in_canonical_order(board: Board, added: str) -> None:
    cpu = fdt.read(board.fdt).find("cpus/cpu@1")
    assert cpu.text("riscv,isa") == (
        "rv64imafdc_zicbom_zicboz_zicntr_zicond_zicsr_zifencei_zba_zbb_zbs"
        f"{added}_sstc_svadu_svinval"
    )
    names = cpu.properties["riscv,isa-extensions"].decode().split("\0")[:-1]
    assert isa_string(names) == cpu.text("riscv,isa")


@only_plic
def test_tree_describes_the_plic(board: Board) -> None:
    soc = fdt.read(board.fdt).find("soc")
    plic, uart = soc.find("plic@c000000"), soc.find("serial@10000000")
    assert plic.cells("interrupts-extended") == [1, 11, 1, 9, 2, 11, 2, 9]
    assert uart.cells("interrupt-parent") == plic.cells("phandle")
    assert uart.cells("interrupts") == [10]


@only_aia
def test_tree_describes_aia(board: Board) -> None:
    soc = fdt.read(board.fdt).find("soc")
    aplic, imsics = soc.find("aplic@d000000"), soc.find("imsics@28000000")
    assert imsics.cells("interrupts-extended") == [1, 9, 2, 9]
    assert imsics.cells("riscv,num-ids") == [255]
    assert aplic.cells("msi-parent") == imsics.cells("phandle")
    uart = soc.find("serial@10000000")
    assert uart.cells("interrupt-parent") == aplic.cells("phandle")
    assert uart.cells("interrupts") == [10, 4]


@pytest.mark.skipif(shutil.which("dtc") is None, reason="dtc is not installed")
def test_dtc_accepts_the_tree_without_a_warning(board: Board) -> None:
    command = ["dtc", "-I", "dtb", "-O", "dts"]
    done = subprocess.run(command, input=board.fdt, capture_output=True, check=True)
    assert done.stderr == b""


@pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed")
def test_tree_agrees_with_qemus_where_both_have_a_node(
    board: Board, kind: InterruptKind, tmp_path: Path
) -> None:
    path = tmp_path / "virt.dtb"
    aia = "aplic-imsic" if kind is InterruptKind.AIA else "none"
    command = [QEMU, "-M", f"virt,aia={aia},dumpdtb={path}", "-smp", "2", "-m", "512M"]
    subprocess.run(command, capture_output=True, check=True)
    ours, theirs = fdt.read(board.fdt).find("soc"), fdt.read(path.read_bytes()).find("soc")
    for node in ours.children:
        if kind is InterruptKind.AIA and node.name.startswith("clint"):
            continue
        other = theirs.find(node.name)
        assert node.properties["reg"] == other.properties["reg"]
        assert node.properties["compatible"] == other.properties["compatible"]
        for name in ("interrupts", "riscv,num-ids", "riscv,num-sources", "#interrupt-cells"):
            assert node.properties.get(name) == other.properties.get(name)
