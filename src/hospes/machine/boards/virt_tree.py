"""The device tree of the `virt` board, as software for QEMU's board of that name expects it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hospes.devices.irq.line import MSIP, MTIP
from hospes.devices.power import FINISHER_PASS, FINISHER_RESET
from hospes.firmware.fdt import Node, wide
from hospes.machine.boards.interrupts import Description

TIMEBASE_HZ: Final = 10_000_000
UART_CLOCK_HZ: Final = 3_686_400
CACHE_BLOCK_BYTES: Final = 64
EXTENSIONS: Final = (
    *("i", "m", "a", "f", "d", "c"),
    *("zicbom", "zicboz", "zicntr", "zicond", "zicsr", "zifencei"),
    *("zba", "zbb", "zbs"),
    *("sstc", "svadu", "svinval"),
)
"""In the canonical order of the ISA string (unprivileged specification, chapter 36)."""


@dataclass(frozen=True)
class Place:
    """Where a device is on the board; source 0 means it does not interrupt."""

    base: int
    size: int
    source: int = 0


@dataclass(frozen=True)
class TreeFacts:
    """What of a tree differs from machine to machine."""

    cpus: int
    memory_base: int
    memory_bytes: int
    append: str
    initrd: tuple[int, int] | None
    rng_seed: bytes
    interrupts: Description


def extensions(added: Sequence[str] = ()) -> list[str]:
    """The board's extensions and those added at supervisor level, in canonical order."""
    supervisor = sorted([*added, *(name for name in EXTENSIONS[6:] if name.startswith("s"))])
    return [name for name in EXTENSIONS if name not in supervisor] + supervisor


def isa_string(extensions: Sequence[str] = EXTENSIONS) -> str:
    """`riscv,isa`: single letters run together, the longer names joined by underscores."""
    letters = [name for name in extensions if len(name) == 1]
    names = [name for name in extensions if len(name) > 1]
    return "_".join(["rv64" + "".join(letters), *names])


def device_tree(facts: TreeFacts, layout: dict[str, Place], virtio: Sequence[Place]) -> Node:
    """The whole tree; `layout` has test, rtc, clint and uart."""
    root = Node("").set("#address-cells", 2).set("#size-cells", 2)
    root.set("compatible", "riscv-virtio").set("model", "riscv-virtio,hospes")
    _add_chosen(root, facts, layout["uart"])
    root.add("aliases").set("serial0", _path("serial", layout["uart"]))
    memory = root.add(f"memory@{facts.memory_base:x}").set("device_type", "memory")
    memory.set("reg", *wide(facts.memory_base), *wide(facts.memory_bytes))
    _add_cpus(root, facts.cpus, extensions(facts.interrupts.extensions))
    test = facts.cpus + 1
    _add_power(root, test)
    soc = root.add("soc").set("#address-cells", 2).set("#size-cells", 2)
    soc.set("compatible", "simple-bus").set("ranges")
    _device(soc, "test", layout["test"], "sifive,test1", "sifive,test0", "syscon").set(
        "phandle", test
    )
    _interrupting(soc, "rtc", layout["rtc"], facts.interrupts, "google,goldfish-rtc")
    uart = _interrupting(soc, "serial", layout["uart"], facts.interrupts, "ns16550a")
    uart.set("clock-frequency", UART_CLOCK_HZ)
    for place in virtio:
        _interrupting(soc, "virtio_mmio", place, facts.interrupts, "virtio,mmio")
    facts.interrupts.add_nodes(soc)
    clint = _device(soc, "clint", layout["clint"], "sifive,clint0", "riscv,clint0")
    clint.set("interrupts-extended", *_hart_interrupts(facts.cpus, MSIP, MTIP))
    return root


def _add_chosen(root: Node, facts: TreeFacts, uart: Place) -> None:
    chosen = root.add("chosen").set("stdout-path", _path("serial", uart))
    if facts.append:
        chosen.set("bootargs", facts.append)
    if facts.initrd:
        chosen.set("linux,initrd-start", *wide(facts.initrd[0]))
        chosen.set("linux,initrd-end", *wide(facts.initrd[1]))
    chosen.set("rng-seed", facts.rng_seed)


def _add_cpus(root: Node, count: int, names: Sequence[str]) -> None:
    """Hart n's interrupt controller has phandle n + 1."""
    cpus = root.add("cpus").set("#address-cells", 1).set("#size-cells", 0)
    cpus.set("timebase-frequency", TIMEBASE_HZ)
    for hart in range(count):
        cpu = cpus.add(f"cpu@{hart:x}").set("device_type", "cpu").set("reg", hart)
        cpu.set("status", "okay").set("compatible", "riscv")
        cpu.set("riscv,isa", isa_string(names)).set("riscv,isa-base", "rv64i")
        cpu.set("riscv,isa-extensions", *names)
        cpu.set("riscv,cbom-block-size", CACHE_BLOCK_BYTES)
        cpu.set("riscv,cboz-block-size", CACHE_BLOCK_BYTES)
        cpu.set("mmu-type", "riscv,sv57")
        controller = cpu.add("interrupt-controller").set("#interrupt-cells", 1)
        controller.set("#address-cells", 0).set("interrupt-controller")
        controller.set("compatible", "riscv,cpu-intc").set("phandle", hart + 1)


def _add_power(root: Node, test: int) -> None:
    for name, value in (("poweroff", FINISHER_PASS), ("reboot", FINISHER_RESET)):
        node = root.add(name).set("compatible", f"syscon-{name}")
        node.set("regmap", test).set("offset", 0).set("value", value)


def _hart_interrupts(harts: int, first: int, second: int) -> list[int]:
    """Pairs of (controller, interrupt number) for two mip bits of every hart."""
    numbers = (first.bit_length() - 1, second.bit_length() - 1)
    return [cell for hart in range(harts) for n in numbers for cell in (hart + 1, n)]


def _path(name: str, place: Place) -> str:
    return f"/soc/{name}@{place.base:x}"


def _device(soc: Node, name: str, place: Place, *compatible: str) -> Node:
    node = soc.add(f"{name}@{place.base:x}").set("compatible", *compatible)
    return node.set("reg", *wide(place.base), *wide(place.size))


def _interrupting(
    soc: Node, name: str, place: Place, parent: Description, compatible: str
) -> Node:
    node = _device(soc, name, place, compatible)
    node.set("interrupt-parent", parent.parent)
    return node.set("interrupts", *parent.specifier(place.source))
