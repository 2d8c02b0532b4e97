"""Fuzz target: IMSIC pages under random writes, a hart's interrupt file under random CSR accesses.

The hart's external interrupt line must follow the file, whatever was done to it.
"""

import random

from fuzz.harness import access, main, odd_number

from hospes.devices.bus import Bus
from hospes.devices.irq.imsic import FILE_BYTES, Imsic
from hospes.devices.irq.line import SEIP
from hospes.isa.riscv.csr import CSR_NUMBERS, csr_read, csr_write
from hospes.isa.riscv.encoding import MODE_S
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.interrupt_file import IDENTITIES, receive_message

BASE = 0x2800_0000
PLACES = (0, FILE_BYTES, 2 * FILE_BYTES - 4, 2 * FILE_BYTES)


def case(chance: random.Random) -> None:
    """A few hundred messages, CSR accesses and claims."""
    harts = [Hart(), Hart()]
    bus = Bus()
    ports = [lambda identity, hart=hart: receive_message(hart, identity) for hart in harts]
    bus.map("imsic", BASE, Imsic(ports), len(harts) * FILE_BYTES)
    for hart in harts:
        hart.mode, hart.aia, hart.eidelivery = MODE_S, 1, 1
    for _ in range(300):
        hart = chance.choice(harts)
        kind = chance.random()
        if kind < 0.3:
            access(chance, bus, BASE, chance.choice(PLACES) + chance.randrange(0, 0xC))
        elif kind < 0.6:
            bus.write(BASE + FILE_BYTES * harts.index(hart), 4, chance.randrange(300))
        elif kind < 0.8:
            csr_write(hart, CSR_NUMBERS["siselect"], chance.choice((0x70, 0x72, 0x80, 0xC0, 0xC6)))
            csr_write(hart, CSR_NUMBERS["sireg"], odd_number(chance, 64))
        else:
            csr_write(hart, CSR_NUMBERS["stopei"], 0)
        check(hart)


def check(hart: Hart) -> None:
    """What stopei says and what the line does, worked out bit by bit."""
    assert csr_read(hart, CSR_NUMBERS["stopei"]) == 0
    limit = hart.eithreshold or IDENTITIES + 1
    ready = (
        number
        for number in range(1, limit)
        if hart.eip[number // 64] & hart.eie[number // 64] & 1 << number % 64
    )
    first = next(ready, 0)
    assert hart.csr_value == first << 16 | first, (hart.csr_value, first)
    assert hart.lines == (SEIP if first and hart.eidelivery else 0)


if __name__ == "__main__":
    main(case)
