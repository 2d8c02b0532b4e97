"""The kernel's forwarding between devices: turned on, and put back as it was.

The functions take the directory of settings (/proc/sys/net). A setting as it was is written
`ipv4/ip_forward=0`.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

SETTINGS: Final = Path("/proc/sys/net")
IPV4: Final = "ipv4/ip_forward"
IPV6: Final = "ipv6/conf/all/forwarding"
_REDIRECTS: Final = "ipv4/conf/all/accept_redirects"
_EACH4, _EACH6 = "ipv4/conf/*/forwarding", "ipv6/conf/*/forwarding"
_OFF, _ON = "0", "1"
_ALWAYS: Final = "2"
"""accept_ra: a router's word is taken even by a router."""


def before(net: Path = SETTINGS) -> list[str]:
    """What `enable` would change and `restore` needs; OSError if that cannot be read.

    What else IPv4's switch does follows from it again (ip-sysctl: "its change resets all
    configuration parameters to their default state").
    """
    found = []
    if _read(net / IPV4) == _OFF:
        found.append(f"{IPV4}={_OFF}")
        found += [_noted(net, path) for path in sorted(net.glob(_EACH4)) if _read(path) == _ON]
        if _read(net / _REDIRECTS) == _OFF:
            found.append(f"{_REDIRECTS}={_OFF}")
    if (net / IPV6).exists() and _read(net / IPV6) == _OFF:
        found.append(f"{IPV6}={_OFF}")
    return found


def enable(net: Path = SETTINGS) -> None:
    """Forward both families' packets; OSError if that may not be."""
    if _read(net / IPV4) != _ON:
        (net / IPV4).write_text(_ON)
    if (net / IPV6).exists() and _read(net / IPV6) != _ON:
        _enable6(net)


def restore(noted: Iterable[str], net: Path = SETTINGS) -> None:
    """Put back what `before` has noted, as far as it is there; OSError if that may not be."""
    for one in noted:
        name, _, value = one.rpartition("=")
        if name == IPV6:
            _write_keeping(net, value)
        else:
            with suppress(FileNotFoundError):
                (net / name).write_text(value)


def _enable6(net: Path) -> None:
    """Turn IPv6's forwarding on, and nothing besides.

    A device that forwards takes no router's word any more, and turning all of them on forgets the
    routes learnt that way: a host would lose its own. So those are told to take it always until
    each has its own setting back; the kernel asks only the one for all when it forwards.
    """
    told = [path for path in net.glob("ipv6/conf/*/accept_ra") if _read(path) == _ON]
    for path in told:
        path.write_text(_ALWAYS)
    _write_keeping(net, _ON)
    for path in told:
        path.write_text(_ON)


def _write_keeping(net: Path, value: str) -> None:
    """Set IPv6's switch for all, which the kernel copies to each device, and put those back."""
    each = {path: _read(path) for path in net.glob(_EACH6) if path != net / IPV6}
    (net / IPV6).write_text(value)
    for path, had in each.items():
        with suppress(FileNotFoundError):
            path.write_text(had)


def _noted(net: Path, path: Path) -> str:
    return f"{path.relative_to(net)}={_read(path)}"


def _read(path: Path) -> str:
    """A setting; "" when the device that it is about has gone."""
    with suppress(FileNotFoundError):
        return path.read_text(encoding="ascii").strip()
    return ""
