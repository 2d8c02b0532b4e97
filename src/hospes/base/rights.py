"""What this process may do to the host."""

from pathlib import Path
from typing import Final

_STATUS: Final = Path("/proc/self/status")
_CAP_NET_ADMIN: Final = 12
_CAP_SYS_ADMIN: Final = 21
"""linux/capability.h"""


def may_manage_networks() -> bool:
    """Whether it may make network devices and rules, which root may and others may be let."""
    return _has(_CAP_NET_ADMIN)


def may_make_namespaces() -> bool:
    """Whether it may make namespaces of every kind, not only within one of users of its own."""
    return _has(_CAP_SYS_ADMIN)


def _has(capability: int) -> bool:
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False
    held = (int(line.split()[1], 16) for line in lines if line.startswith("CapEff:"))
    return bool(next(held, 0) >> capability & 1)
