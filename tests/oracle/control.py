"""Blocks for jumps and branches: taken or not, near and far, across pages, back and forth.

Each word stands at a place of its own in an arena, with a landing behind it and one at its target.
A landing counts (1 behind, 2 at the target) and goes back to the loop.
"""

from random import Random
from typing import Final

from tests.oracle.compute import close_loop, integer_rows, load_operands, reserved, store_result
from tests.oracle.image import U64, Block, Image, Rows, encode
from tests.oracle.memory import open_block
from tests.oracle.words import random_word, registers_of

from hospes.isa.insn import Insn
from hospes.isa.riscv.profile import RV64

BRANCHES: Final = {"beq", "bne", "blt", "bge", "bltu", "bgeu"}
RELATIVE: Final = [made for made in RV64.insns if made.function.__name__ in BRANCHES | {"jal"}]
INDIRECT: Final = [made for made in RV64.insns if made.function.__name__ == "jalr"]

LANDING_BYTES: Final = 8
INDIRECT_ARENA: Final = 1 << 16
TRIES: Final = 50


class Arena:
    """A stretch of code in which words and landings are put at random."""

    def __init__(self, image: Image, size: int, way: int) -> None:
        self.image = image
        behind = (image.pc + 8 + size + 4095) & ~4095
        jump_far(image, behind, way)
        self.size = behind - image.pc
        self.start = image.pc
        self.offset = len(image.code)
        image.code += bytes(self.size)
        self.taken: list[tuple[int, int]] = []

    def free(self, address: int, size: int) -> bool:
        """Whether nothing is there yet, and all of it is in the arena."""
        inside = self.start <= address and address + size <= self.start + self.size
        return inside and all(address + size <= a or b <= address for a, b in self.taken)

    def place(self, address: int, *words: int) -> None:
        """Put instructions there."""
        content = b"".join(w.to_bytes(4 if w & 3 == 3 else 2, "little") for w in words)
        start = self.offset + address - self.start
        self.image.code[start : start + len(content)] = content
        self.taken.append((address, address + len(content)))

    def anywhere(self, random: Random) -> int:
        """An even address, often at the end of a page."""
        address = self.start + random.randrange(self.size) & ~1
        if random.randrange(2):
            address = (address & ~4095) + 4096 - random.choice((2, 4, 6, 8, 10, 12))
        return address

    def pair(self, random: Random, length: int, distance: int | None) -> tuple[int, int] | None:
        """Free places for a word (with its landing) and for the landing at its target."""
        for _ in range(TRIES):
            site = self.anywhere(random)
            target = self.anywhere(random) if distance is None else site + distance
            if not self.free(site, length + LANDING_BYTES):
                continue
            if target == site + length:
                return site, target
            apart = target >= site + length + LANDING_BYTES or target + LANDING_BYTES <= site
            if apart and self.free(target, LANDING_BYTES):
                return site, target
        return None


def distance_of(made: Insn, word: int) -> int:
    """The immediate of a jump."""
    values = dict(zip((name for name, _ in made.operands), made.arguments(word), strict=True))
    return values["imm"]


def branch_rows(random: Random, count: int) -> Rows:
    """Operands of comparisons: often equal, or next to each other, or zero."""
    rows = integer_rows(random, count)
    for row in rows:
        choice = random.randrange(4)
        if choice == 0:
            row[0] = 0
        elif choice == 1:
            row[1] = (int(row[0]) + random.choice((0, 0, 1, -1))) & U64
    return rows


def control_block(image: Image, made: Insn, cases: int) -> Block:
    """Append about so many cases of one jump or branch."""
    random = image.random
    indirect = made.function.__name__ == "jalr"
    a, b, end, back, way, count = registers = reserved(random, made, 6)
    avoid = set(registers)
    words = max(6, min(40, cases // 24))
    conditional = made.function.__name__ in BRANCHES
    rows = branch_rows(random, -(-cases // words) if conditional else 3)
    if not conditional:
        words = max(6, min(80, cases // 3))
    far = 1 if indirect else max(field.high for field in made.fields if field.name == "imm")
    arena = Arena(image, max(INDIRECT_ARENA, 2 * far + 4096), way)
    places = [_place(arena, made, random, avoid, back, count) for _ in range(words)]
    block = Block(made, [word for word, _, _ in places], rows, ("landing", "link"))
    open_block(image, block, a, b, end)
    loop = image.pc
    for number, (word, site, target) in enumerate(places):
        block.places.append(site)
        used = registers_of(made, word)
        load_operands(image, used, a)
        if indirect:
            base = used.sources[0]
            assert base is not None
            odd = random.randrange(2)
            image.pointers(**{f"x{base[0]}": target + odd - distance_of(made, word)})
        image.emit(encode("addi", rd=count, rs1=0, imm=0))
        _go(image, site, back, way)
        image.emit(encode("sd", rs2=count, rs1=b, imm=16 * number))
        store_result(image, used, b, 16 * number + 8)
    close_loop(image, block, (a, b, end), loop)
    return block


def _place(
    arena: Arena, made: Insn, random: Random, avoid: set[int], back: int, count: int
) -> tuple[int, int, int]:
    """A word with its place and its target, both with landings."""
    while True:
        word = random_word(made, random, avoid)
        indirect = made.function.__name__ == "jalr"
        if indirect and registers_of(made, word).sources[0] == (0, False):
            continue
        distance = None if indirect else distance_of(made, word)
        found = arena.pair(random, made.length, distance)
        if found is None:
            continue
        site, target = found
        leave = encode("jalr", rd=0, rs1=back, imm=0)
        arena.place(site, word, encode("addi", rd=count, rs1=count, imm=1), leave)
        if target != site + made.length:
            arena.place(target, encode("addi", rd=count, rs1=count, imm=2), leave)
        return word, site, target


def _go(image: Image, site: int, back: int, way: int) -> None:
    """Jump to a place far away, with the address of what follows in a register."""
    image.emit(encode("auipc", rd=back, imm=0), encode("addi", rd=back, rs1=back, imm=16))
    jump_far(image, site, way)


def jump_far(image: Image, target: int, way: int) -> None:
    """Jump anywhere within two gigabytes, by way of a register."""
    distance = target - image.pc
    low = (distance & 0xFFF ^ 0x800) - 0x800
    image.emit(encode("auipc", rd=way, imm=distance - low))
    image.emit(encode("jalr", rd=0, rs1=way, imm=low))
