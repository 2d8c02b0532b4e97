"""What apt-get says when it fails, turned into one sentence for the user."""

import re
from typing import Final

from hospes.base.errors import HospesError


class IndexMismatchError(HospesError):
    """The mirror serves a package list other than the one its signed Release names."""


# Looked for in this order: a bad signature outranks whatever followed from it. {detail} is the
# line of apt's output in which the pattern was found.
SENTENCES: Final = (
    (
        r"NO_PUBKEY|BADSIG|EXPKEYSIG|REVKEYSIG|is not signed|signatures? (?:couldn't|were invalid|"
        r"verification)|clearsigned file|Sub-process .* returned an error code|Missing key",
        HospesError,
        "The Debian archive's signature could not be verified, so nothing was taken from it: "
        "{detail}; bring the package debian-archive-keyring up to date or choose another mirror.",
    ),
    (
        r"No space left on device|don't have enough free space|Disk quota exceeded",
        HospesError,
        "The disk with the cache {cache} is full: free some space there or set HOSPES_CACHE.",
    ),
    (
        r"Could not resolve|Temporary failure resolving|Unable to connect|Cannot initiate|"
        r"[Cc]onnection (?:failed|refused|timed out|reset)|Could not connect|"
        r"Network is unreachable|No route to host",
        HospesError,
        "The Debian mirror cannot be reached ({detail}); connect to the network and try again.",
    ),
    (
        r"unexpected size|Hash Sum mismatch|Mirror sync in progress",
        IndexMismatchError,
        "The Debian mirror serves files that are not those its signature names ({detail}); "
        "it may be in the middle of an update: try again later or choose another mirror.",
    ),
    (
        r"Unable to locate package|No packages found|has no installation candidate",
        HospesError,
        "The Debian archive has no such package: {detail}.",
    ),
    (
        r"is not valid yet|is expired",
        HospesError,
        "The Debian archive's Release is outside its time of validity ({detail}); "
        "check this machine's clock or choose another mirror.",
    ),
    (
        r"404 |does not have a Release file|doesn't support architecture",
        HospesError,
        "The mirror does not hold Debian for riscv64 ({detail}); name another in HOSPES_MIRROR.",
    ),
    (
        r"Could not get lock|Unable to lock",
        HospesError,
        "Another apt-get is at work in the cache {cache} ({detail}); wait for it and try again.",
    ),
)
NOISE: Final = re.compile(r"^(?:E|W|Err:\d+):? ?|\s+\[IP: [^]]*\]|\.$")
LONGEST_DETAIL: Final = 200


def _detail(line: str) -> str:
    return NOISE.sub("", line.strip())[:LONGEST_DETAIL]


def apt_error(output: str, cache: str) -> HospesError:
    """The error for what a failed apt-get printed; the mirror is named only as apt named it."""
    lines = output.splitlines()
    for pattern, kind, sentence in SENTENCES:
        for line in lines:
            if re.search(pattern, line):
                return kind(sentence.format(detail=_detail(line), cache=cache))
    last = next((line for line in reversed(lines) if line.startswith("E:")), "it gave no reason")
    return HospesError(f"apt-get failed: {_detail(last)}.")
