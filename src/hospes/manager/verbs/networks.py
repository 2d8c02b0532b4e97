"""Networks that machines share: the verbs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from hospes.base.errors import HospesError
from hospes.manager.manager import Manager
from hospes.manager.verb import verb

if TYPE_CHECKING:
    from hospes.manager.network_state import NetworkInspected

Name = Annotated[str, "the network"]


@dataclass(frozen=True)
class NetworkLine:
    """A line of `hospes network ls`."""

    name: str
    kind: str
    subnet: str
    reaches: str
    machines: str


@verb("POST /networks/{name}", "network create")
def create(
    m: Manager,
    name: Name,
    *,
    subnet: Annotated[str | None, "its addresses, as 10.7.0.0/24; else free ones"] = None,
    dns: Annotated[bool, "a name server that knows its machines, as there is anyway"] = False,
    no_dns: Annotated[bool, "no name server"] = False,
    isolated: Annotated[bool, "its machines reach each other only"] = False,
    allow_host: Annotated[bool, "its machines may reach the host itself, as the gateway"] = False,
    strict: Annotated[bool, "a card sends from its own address only"] = False,
    bridge: Annotated[bool, "a bridge of this host, with its routing; takes root"] = False,
    lease: Annotated[list[str] | None, "an address for a machine or card, as web=10.7.0.10"] = None,
) -> str:
    """Make a network for machines of this host, which join it with --network switch:NAME."""
    from hospes.manager.networks import create_network
    from hospes.spec.lan import parse_lease

    if dns and no_dns:
        raise HospesError("a name server is both wanted and not; leave out --dns or --no-dns")
    leases = dict(map(parse_lease, lease or ()))
    if len(leases) < len(lease or ()):
        raise HospesError("a machine has two leases; leave one out")
    create_network(
        name, subnet, leases,
        dns=not no_dns, isolated=isolated, allow_host=allow_host, strict=strict,
        bridge=bridge,
    )  # fmt: skip
    return name


@verb("GET /networks", "network ls")
def ls(m: Manager) -> tuple[NetworkLine, ...]:
    """List the networks there are, and the machines in them."""
    from hospes.manager.networks import all_networks, kind_of, look

    lines = []
    for one in all_networks():
        try:
            spec, state = one.spec, look(one)
        except HospesError:
            lines.append(NetworkLine(one.name, "damaged", "", "", ""))
            continue
        outside = "the host and outside" if spec.allow_host else "outside"
        names = sorted(each.name or each.mac for each in state.stations) if state else []
        reaches = "itself" if spec.isolated else outside
        kind = f"bridge {spec.bridge}" if spec.bridge else kind_of(spec)
        lines.append(NetworkLine(one.name, kind, spec.subnet, reaches, ", ".join(names)))
    return tuple(lines)


@verb("DELETE /networks/{name}", "network rm")
def rm(m: Manager, names: Annotated[list[str], "the network, or several"]) -> None:
    """Remove a network that no machine is in."""
    from hospes.manager.networks import remove_network
    from hospes.manager.several import each

    each(names, remove_network)


@verb("GET /networks/{name}", "network inspect")
def inspect(m: Manager, name: Name) -> "NetworkInspected":
    """Show everything known of a network, as JSON."""
    from hospes.manager.networks import inspect_network

    return inspect_network(name)
