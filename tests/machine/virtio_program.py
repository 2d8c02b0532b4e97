"""A bare-metal driver of a virtio function on PCI, which makes one request of queue 0."""

ECAM, REGISTERS = 0x3000_0000, 0x4000_0000
DESCRIPTORS, DRIVER, DEVICE = 0x8010_0000, 0x8010_1000, 0x8010_2000
SENT, ROOM = 0x8010_3000, 0x8010_4000
QUEUE_SIZE = 8
NEXT, WRITE = 1, 2
_SUFFIX = {1: "b", 2: "h", 4: "w", 8: "d"}

Store = tuple[int, int, int]
"""Address, bytes, value."""

FINISH = f"""
wait:
    li t0, {DEVICE}
    lhu t1, 2(t0)
    beqz t1, wait
    li t0, {ROOM}
    lbu t1, 0(t0)
    slli t1, t1, 16
    li t2, FAIL
    or t1, t1, t2
    li t0, TEST
    sw t1, 0(t0)
    j .
"""


def one_request(slot: int, sent: bytes, room: int) -> str:
    """A program that ends with the first byte of the answer as its exit code."""
    stores = [*_plug(slot), *_negotiate(), *_lay_out(sent, room), (REGISTERS + 0x3000, 2, 0)]
    lines = [
        f"    li t0, {address}\n    li t1, {value}\n    s{_SUFFIX[size]} t1, 0(t0)"
        for address, size, value in stores
    ]
    return "\n".join(lines) + FINISH


def _plug(slot: int) -> list[Store]:
    """BAR 0, then memory accesses and bus mastering."""
    config = ECAM + (slot << 15)
    return [(config + 0x10, 4, REGISTERS), (config + 0x14, 4, 0), (config + 0x04, 2, 6)]


def _negotiate() -> list[Store]:
    """VIRTIO_F_VERSION_1 and nothing else."""
    status = [(REGISTERS + 0x14, 1, value) for value in (0, 1, 3)]
    return [*status, (REGISTERS + 0x08, 4, 1), (REGISTERS + 0x0C, 4, 1), (REGISTERS + 0x14, 1, 11)]


def _lay_out(sent: bytes, room: int) -> list[Store]:
    """Queue 0 with a request of two descriptors, and DRIVER_OK."""
    stores = [(SENT + at, 1, byte) for at, byte in enumerate(sent)]
    stores += [(DESCRIPTORS, 8, SENT), (DESCRIPTORS + 8, 4, len(sent))]
    stores += [(DESCRIPTORS + 12, 2, NEXT), (DESCRIPTORS + 14, 2, 1)]
    stores += [(DESCRIPTORS + 16, 8, ROOM), (DESCRIPTORS + 24, 4, room)]
    stores += [(DESCRIPTORS + 28, 2, WRITE), (DRIVER + 2, 2, 1)]
    stores += [(REGISTERS + 0x16, 2, 0), (REGISTERS + 0x18, 2, QUEUE_SIZE)]
    for offset, gpa in ((0x20, DESCRIPTORS), (0x28, DRIVER), (0x30, DEVICE)):
        stores.append((REGISTERS + offset, 8, gpa))
    return [*stores, (REGISTERS + 0x1C, 2, 1), (REGISTERS + 0x14, 1, 15)]
