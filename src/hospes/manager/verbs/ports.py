"""Ports of the host that lead to a machine's: the verbs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from hospes.manager.manager import Manager
from hospes.manager.verb import verb

if TYPE_CHECKING:
    from hospes.spec.net import Publication

Name = Annotated[str, "the machine"]
Port = Annotated[str, "the host's port and its own, such as 8080:80 or 0.0.0.0:53:53/udp"]


@dataclass(frozen=True)
class PortLine:
    """A line of `hospes port ls`."""

    host: str
    guest: int
    protocol: str


@verb("POST /machines/{name}/ports", "port add")
def add(m: Manager, name: Name, port: Port) -> None:
    """Lead a port of the host to one of a running machine's, until it stops."""
    from hospes.manager.link import Link
    from hospes.manager.store import Store
    from hospes.spec.net import parse_publication

    wanted = parse_publication(port)
    with Link(Store().find(name)) as link:
        link.publish(wanted)


@verb("GET /machines/{name}/ports", "port ls")
def ls(m: Manager, name: Name) -> tuple[PortLine, ...]:
    """List the ports of the host that lead to a running machine's."""
    from hospes.manager.link import Link
    from hospes.manager.store import Store

    with Link(Store().find(name)) as link:
        return tuple(map(_line, link.published()))


@verb("DELETE /machines/{name}/ports", "port rm")
def rm(m: Manager, name: Name, port: Port) -> None:
    """Lead a port of the host nowhere any more; connections that were made stay."""
    from hospes.manager.link import Link
    from hospes.manager.store import Store
    from hospes.spec.net import parse_publication

    unwanted = parse_publication(port)
    with Link(Store().find(name)) as link:
        link.withdraw(unwanted)


def _line(one: "Publication") -> PortLine:
    address = f"[{one.host_address}]" if ":" in one.host_address else one.host_address
    return PortLine(f"{address}:{one.host_port}", one.guest_port, one.protocol)
