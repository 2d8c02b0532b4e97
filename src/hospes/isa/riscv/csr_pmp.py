"""The CSRs of physical memory protection; pmp.py has their meaning."""

from typing import Final

from hospes.isa.riscv.csr_table import Csr
from hospes.isa.riscv.pmp import (
    ENTRIES,
    read_pmpaddr,
    read_pmpcfg,
    write_pmpaddr,
    write_pmpcfg,
)

PMP: Final = (
    Csr(0x3A0, "pmpcfg0", read=read_pmpcfg, write=write_pmpcfg, index=0),
    Csr(0x3A2, "pmpcfg2", read=read_pmpcfg, write=write_pmpcfg, index=8),
    *(
        Csr(0x3B0 + n, f"pmpaddr{n}", read=read_pmpaddr, write=write_pmpaddr, index=n)
        for n in range(ENTRIES)
    ),
)
"""On RV64 the odd-numbered pmpcfg registers do not exist; neither do entries 16 to 63."""
