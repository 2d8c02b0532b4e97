"""Our own SBI: finds the extension and function an ecall from S-mode names, and answers it."""

from collections import Counter
from typing import Final

from hospes.base.errors import HospesError
from hospes.firmware.sbi.base import base_extension
from hospes.firmware.sbi.call import A0, Extension, Platform, SbiError, failure
from hospes.firmware.sbi.dbcn import DBCN
from hospes.firmware.sbi.entry import ECALL_FROM_S
from hospes.firmware.sbi.hsm import HSM
from hospes.firmware.sbi.ipi import IPI
from hospes.firmware.sbi.legacy import LEGACY
from hospes.firmware.sbi.rfence import RFENCE
from hospes.firmware.sbi.srst import SRST
from hospes.firmware.sbi.time import TIME
from hospes.isa.riscv.hart import Hart

EXTENSIONS: Final[tuple[Extension, ...]] = (TIME, IPI, RFENCE, HSM, SRST, DBCN, *LEGACY)
ECALL_BYTES: Final = 4


class Sbi:
    """The table of extensions of one machine; `calls` counts them by name."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.extensions = {extension.number: extension for extension in EXTENSIONS}
        base = base_extension(self.extensions.__contains__)
        self.extensions[base.number] = base
        self.calls: Counter[str] = Counter()

    def call(self, hart: Hart) -> None:
        """Carry out the ecall the hart stands at and move it on.

        Anything but an ecall from S-mode is delegated to the supervisor at entry, so another cause
        here means the machine itself is broken.
        """
        if hart.exit_cause != ECALL_FROM_S:
            raise HospesError(
                f"hart {hart.hartid} took trap cause {hart.exit_cause} at pc {hart.pc:#x} into "
                "M-mode, where there is no guest firmware; report this with the guest's image"
            )
        arguments = [hart.x[A0 + index] for index in range(8)]
        extension = self.extensions.get(arguments[7])
        if extension is None:
            self.calls["unknown"] += 1
            self.finish(hart, failure(SbiError.NOT_SUPPORTED), legacy=arguments[7] < 0x10)
            return
        self.calls[extension.name] += 1
        function = extension.functions.get(0 if extension.legacy else arguments[6])
        if function is None:
            self.finish(hart, failure(SbiError.NOT_SUPPORTED), legacy=False)
            return
        answer = function(self.platform, hart, arguments)
        if answer is not None:
            self.finish(hart, answer, extension.legacy)

    @staticmethod
    def finish(hart: Hart, answer: tuple[int, int], legacy: bool) -> None:
        """Write the answer into a0 and a1 (a legacy call has a0 only) and step over the ecall."""
        hart.x[A0] = answer[0]
        if not legacy:
            hart.x[A0 + 1] = answer[1]
        hart.pc += ECALL_BYTES
