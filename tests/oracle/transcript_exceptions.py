"""Where QEMU 7.2's transcript is not what the Privileged ISA (version 20240411) says."""

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Correction:
    """In the transcript of a scenario, every match of `pattern` should read `right`."""

    scenario: str
    pattern: str
    right: str
    section: str
    reason: str


CORRECTIONS: Final = (
    *(
        Correction(
            f"supervisor-sv{bits}",
            r"^S d (80000000 40000018)",
            r"S f \1",
            '12.3.1 and "AMO": "attempting to perform an AMO on an unreadable page always raises a '
            'store page-fault exception"',
            "QEMU 7.2 says load page fault",
        )
        for bits in (39, 48, 57)
    ),
    Correction(
        "returns",
        r"^(M [89] .*)\n a0002",
        r"\1\n a0000",
        '3.1.6.3: "An MRET or SRET instruction that changes the privilege mode to a mode less '
        'privileged than M also sets MPRV=0"',
        "QEMU 7.2 leaves MPRV",
    ),
    Correction(
        "floating state",
        r"^((?:feq\.d|fcvt\.w\.d) .* with FS [12])\n [12] 0",
        r"\1\n 3 1",
        '3.1.6.6: "FS may be Dirty imprecisely", and has to be Dirty when fflags change',
        "an instruction that can raise flags makes FS Dirty here; in QEMU 7.2 it never does, not "
        "even when it raises them",
    ),
    Correction(
        "pmp tables",
        r"^(table 1, entry 0x5F)\n 0 0 0 0 8 0\n 200c00df",
        r"\1\n 0 0 7 40000008 8 0\n 200c005f",
        '12.3.2, step 9: "If a store to the PTE at address a+va.vpn[i]*PTESIZE would violate a PMA '
        'or PMP check, raise an access-fault exception"',
        "QEMU 7.2 sets D in a page table that PMP makes read-only",
    ),
    Correction(
        "pmp tables",
        r"^(table 1, entry 0x1F)\n 0 0 0 0 8 0\n 200c00df",
        r"\1\n 5 40000000 7 40000008 1 40000000\n 200c001f",
        "12.3.2, step 9, as above",
        "QEMU 7.2 sets A and D in a page table that PMP makes read-only",
    ),
)


def corrected(scenario: str, transcript: str) -> tuple[str, list[Correction]]:
    """QEMU's transcript as it should be, and the corrections that nothing in it needed."""
    unused = []
    for correction in CORRECTIONS:
        if correction.scenario == scenario:
            transcript, count = re.subn(
                correction.pattern, correction.right, transcript, flags=re.MULTILINE
            )
            if count == 0:
                unused.append(correction)
    return transcript, unused
