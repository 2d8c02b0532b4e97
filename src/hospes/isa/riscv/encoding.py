"""Numbers of the privileged architecture: modes, causes, CSR fields, page tables, exits."""

from typing import Final

MODE_U: Final = 0
MODE_S: Final = 1
MODE_M: Final = 3

# Accesses, in the bit order of pmpcfg's R, W and X.
READ: Final = 1
WRITE: Final = 2
EXECUTE: Final = 4

# Trap causes (Privileged ISA, table "mcause values after trap").
INTERRUPT: Final = 1 << 63
FETCH_MISALIGNED: Final = 0
FETCH_ACCESS_FAULT: Final = 1
ILLEGAL_INSTRUCTION: Final = 2
BREAKPOINT: Final = 3
LOAD_MISALIGNED: Final = 4
LOAD_ACCESS_FAULT: Final = 5
STORE_MISALIGNED: Final = 6
STORE_ACCESS_FAULT: Final = 7
ECALL_FROM_U: Final = 8
FETCH_PAGE_FAULT: Final = 12
LOAD_PAGE_FAULT: Final = 13
STORE_PAGE_FAULT: Final = 15

# Bits of mip, mie and mideleg: 1 << interrupt number.
SSI: Final = 1 << 1
MSI: Final = 1 << 3
STI: Final = 1 << 5
MTI: Final = 1 << 7
SEI: Final = 1 << 9
MEI: Final = 1 << 11
SUPERVISOR_INTERRUPTS: Final = SSI | STI | SEI
MACHINE_INTERRUPTS: Final = MSI | MTI | MEI

# mstatus and sstatus.
STATUS_SIE: Final = 1 << 1
STATUS_MIE: Final = 1 << 3
STATUS_SPIE: Final = 1 << 5
STATUS_MPIE: Final = 1 << 7
STATUS_SPP: Final = 1 << 8
STATUS_MPP: Final = 3 << 11
STATUS_MPP_SHIFT: Final = 11
STATUS_FS_SHIFT: Final = 13
STATUS_MPRV: Final = 1 << 17
STATUS_SUM: Final = 1 << 18
STATUS_MXR: Final = 1 << 19
STATUS_TVM: Final = 1 << 20
STATUS_TW: Final = 1 << 21
STATUS_TSR: Final = 1 << 22
STATUS_UXL_64: Final = 2 << 32
STATUS_SXL_64: Final = 2 << 34
STATUS_SD: Final = 1 << 63
FS_DIRTY: Final = 3

# misa: RV64 with IMAFDC, S and U.
MISA: Final = (
    (2 << 62) | (1 << 0) | (1 << 2) | (1 << 3) | (1 << 5) | (1 << 8) | (1 << 12)
    | (1 << 18) | (1 << 20)
)  # fmt: skip

# menvcfg and senvcfg.
ENVCFG_FIOM: Final = 1 << 0
ENVCFG_CBIE: Final = 3 << 4
ENVCFG_CBIE_SHIFT: Final = 4
ENVCFG_CBCFE: Final = 1 << 6
ENVCFG_CBZE: Final = 1 << 7
ENVCFG_ADUE: Final = 1 << 61
ENVCFG_STCE: Final = 1 << 63

# Counter-enable bits.
COUNTER_CY: Final = 1 << 0
COUNTER_TM: Final = 1 << 1
COUNTER_IR: Final = 1 << 2
COUNTERS: Final = COUNTER_CY | COUNTER_TM | COUNTER_IR

# satp.
SATP_MODE_SHIFT: Final = 60
SATP_BARE: Final = 0
SATP_SV39: Final = 8
SATP_SV48: Final = 9
SATP_SV57: Final = 10
SATP_ASID_SHIFT: Final = 44
SATP_ASID_MASK: Final = 0xFFFF
PPN_MASK: Final = (1 << 44) - 1

# Page-table entries.
PTE_V: Final = 1 << 0
PTE_R: Final = 1 << 1
PTE_W: Final = 1 << 2
PTE_X: Final = 1 << 3
PTE_U: Final = 1 << 4
PTE_A: Final = 1 << 6
PTE_D: Final = 1 << 7
PTE_PPN_SHIFT: Final = 10
PTE_RESERVED: Final = 0x3FF << 54
"""N (Svnapot), PBMT (Svpbmt) and the reserved bits: none is implemented, all must be zero."""

# Fields of Hart.context.
CONTEXT_MODE: Final = 3
CONTEXT_SUM: Final = 1 << 2
CONTEXT_MXR: Final = 1 << 3

# pmpcfg fields.
PMP_RWX: Final = 7
PMP_A: Final = 3 << 3
PMP_TOR: Final = 1 << 3
PMP_NA4: Final = 2 << 3
PMP_NAPOT: Final = 3 << 3
PMP_L: Final = 1 << 7

# Values of Hart.exit_reason; hospes.engine.engine.Exit says what they mean.
EXIT_NONE: Final = 0
EXIT_BUDGET: Final = 0
EXIT_KICK: Final = 1
EXIT_DEVICE: Final = 2
EXIT_HYPERCALL: Final = 3
EXIT_WFI: Final = 4
EXIT_BREAKPOINT: Final = 5
EXIT_REFERENCE: Final = 6
EXIT_FRAME: Final = 7
EXIT_SHUTDOWN: Final = 8
