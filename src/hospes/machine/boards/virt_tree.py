"""The device tree of the `virt` board, as software for QEMU's board of that name expects it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hospes.devices.device import Device
from hospes.devices.power import FINISHER_PASS, FINISHER_RESET
from hospes.firmware.fdt import Node, wide
from hospes.machine.boards.interrupts import Description
from hospes.machine.boards.pci import add_node

TIMEBASE_HZ: Final = 10_000_000
CACHE_BLOCK_BYTES: Final = 64
EXTENSIONS: Final = (
    *("i", "m", "a", "f", "d", "c"),
    *("zicbom", "zicboz", "zicntr", "zicond", "zicsr", "zifencei"),
    *("zba", "zbb", "zbs"),
    *("sstc", "svadu", "svinval"),
)
"""In the canonical order of the ISA string (unprivileged specification, chapter 36)."""


@dataclass(frozen=True)
class Placed:
    """A device at its address; source 0 means it has no interrupt line."""

    name: str
    base: int
    device: Device
    source: int


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
    pci: bool = False


def extensions(added: Sequence[str] = ()) -> list[str]:
    """The board's extensions and those added at supervisor level, in canonical order."""
    supervisor = sorted([*added, *(name for name in EXTENSIONS[6:] if name.startswith("s"))])
    return [name for name in EXTENSIONS if name not in supervisor] + supervisor


def isa_string(extensions: Sequence[str] = EXTENSIONS) -> str:
    """`riscv,isa`: single letters run together, the longer names joined by underscores."""
    letters = [name for name in extensions if len(name) == 1]
    names = [name for name in extensions if len(name) > 1]
    return "_".join(["rv64" + "".join(letters), *names])


def device_tree(facts: TreeFacts, devices: Sequence[Placed]) -> Node:
    """The whole tree; among the devices are `test` and `uart`."""
    root = Node("").set("#address-cells", 2).set("#size-cells", 2)
    root.set("compatible", "riscv-virtio").set("model", "riscv-virtio,hospes")
    [console] = [f"/soc/{_name(placed)}" for placed in devices if placed.name == "uart"]
    _add_chosen(root, facts, console)
    root.add("aliases").set("serial0", console)
    memory = root.add(f"memory@{facts.memory_base:x}").set("device_type", "memory")
    memory.set("reg", *wide(facts.memory_base), *wide(facts.memory_bytes))
    _add_cpus(root, facts.cpus, extensions(facts.interrupts.extensions))
    test = facts.cpus + 1
    _add_power(root, test)
    soc = root.add("soc").set("#address-cells", 2).set("#size-cells", 2)
    soc.set("compatible", "simple-bus").set("ranges")
    for placed in devices:
        node = _add_device(soc, placed, facts)
        if placed.name == "test":
            node.set("phandle", test)
    facts.interrupts.add_nodes(soc)
    if facts.pci:
        add_node(soc, facts.memory_bytes, facts.interrupts)
    return root


def _add_device(soc: Node, placed: Placed, facts: TreeFacts) -> Node:
    """What the device's class says of it, and what the board has given it."""
    device = placed.device
    node = soc.add(_name(placed)).set("compatible", device.compatible, *device.also_compatible)
    node.set("reg", *wide(placed.base), *wide(device.size))
    if placed.source:
        node.set("interrupt-parent", facts.interrupts.parent)
        node.set("interrupts", *facts.interrupts.specifier(placed.source))
    if device.hart_lines:
        numbers = [bit.bit_length() - 1 for bit in device.hart_lines]
        cells = [cell for hart in range(facts.cpus) for n in numbers for cell in (hart + 1, n)]
        node.set("interrupts-extended", *cells)
    for name, value in device.properties.items():
        node.set(name, value)
    return node


def _name(placed: Placed) -> str:
    return f"{placed.device.node or placed.name}@{placed.base:x}"


def _add_chosen(root: Node, facts: TreeFacts, console: str) -> None:
    chosen = root.add("chosen").set("stdout-path", console)
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
