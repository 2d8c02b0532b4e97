"""A bridge's addresses, and what its guests reach and who reaches them: texts for ip and nft.

A network has one table, `inet hospes-NAME`, put in place and removed as a whole. Nothing in another
table is looked at or changed; what another table drops stays dropped.
"""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Final

from hospes.network.plan import ROUTER_LINK_LOCAL, Plan
from hospes.network.reach import HOST_RANGES
from hospes.spec.lan import LanSpec

FAMILY: Final = "inet"
TABLE_PREFIX: Final = "hospes-"
BEFORE: Final = "before"
"""A chain that nothing passes: its comments say what of the host's settings was changed."""
_REFUSED: Final = "reject with icmpx admin-prohibited"


def table_of(name: str) -> str:
    """What the table of the network of this name is called."""
    return TABLE_PREFIX + name


def addressing(spec: LanSpec, plan: Plan, *, ipv6: bool) -> str:
    """For `ip -batch`: a bridge that is there has its addresses and is up, as it may be already."""
    bridge, network4, network6 = spec.bridge, plan.network4, plan.network6
    assert network4 is not None
    assert network6 is not None
    lines = [f"link set dev {bridge} addrgenmode none"] if ipv6 else []
    gateway4 = f"{ip_address(plan.gateway4)}/{network4.prefixlen}"
    lines += [f"address replace {gateway4} broadcast {network4.broadcast_address} dev {bridge}"]
    if ipv6:
        for gateway6 in (ROUTER_LINK_LOCAL, plan.gateway6):
            address = f"{ip_address(gateway6)}/{network6.prefixlen}"
            lines.append(f"address replace {address} dev {bridge} nodad")
    return "\n".join([*lines, f"link set dev {bridge} up"])


def removal(name: str) -> str:
    """For `nft -f`: no such table, whether there was one or not."""
    table = f"table {FAMILY} {table_of(name)}"
    return f"{table}\ndelete {table}\n"


def ruleset(name: str, spec: LanSpec, plan: Plan, before: Iterable[str] = ()) -> str:
    """For `nft -f`: the network's table, in place of one that is there.

    `before` are settings of the host's as they were, to be found in the table again.
    """
    chains = [_chain("forward", "filter hook forward priority filter", _through(spec, plan))]
    if not spec.allow_host:
        chains += [_chain("input", "filter hook input priority filter", _to_host(spec, plan))]
    if not spec.isolated:
        chains += [_chain("postrouting", "nat hook postrouting priority srcnat", _out(spec, plan))]
        chains += [_chain(BEFORE, "", (f'return comment "{one}"' for one in before))]
    body = "\n".join(chains)
    return f"{removal(name)}table {FAMILY} {table_of(name)} {{\n{body}}}\n"


def _to_host(spec: LanSpec, plan: Plan) -> Iterator[str]:
    """What guests send to the host itself: pings to the gateway, and answers."""
    bridge = f'iifname "{spec.bridge}"'
    gateway4, gateway6 = ip_address(plan.gateway4), ip_address(plan.gateway6)
    yield f"{bridge} ct state established,related accept"
    yield f"{bridge} ip daddr {gateway4} icmp type echo-request accept"
    yield f"{bridge} ip6 daddr {{ {gateway6}, fe80::/10 }} icmpv6 type echo-request accept"
    yield f"{bridge} icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept"
    yield f"{bridge} {_REFUSED}"


def _through(spec: LanSpec, plan: Plan) -> Iterator[str]:
    """What passes the host: guests to the world, and its answers, but no other network of ours."""
    inwards, outwards = f'oifname "{spec.bridge}"', f'iifname "{spec.bridge}"'
    # Frames between guests come here too when the kernel shows those of bridges (br_netfilter).
    yield f"{outwards} {inwards} accept"
    if spec.isolated:
        yield f"{inwards} {_REFUSED}"
        yield f"{outwards} {_REFUSED}"
        return
    yield f"{inwards} ct state established,related accept"
    yield f"{inwards} {_REFUSED}"
    # Nobody could answer these, and a false source is another's.
    yield f"{outwards} ip saddr != {plan.network4} drop"
    yield f"{outwards} ip6 saddr != {plan.network6} drop"
    if not spec.allow_host:
        ranges4 = ", ".join(one for one in HOST_RANGES if ":" not in one)
        ranges6 = ", ".join(one for one in HOST_RANGES if ":" in one)
        yield f"{outwards} ip daddr {{ {ranges4} }} {_REFUSED}"
        yield f"{outwards} ip6 daddr {{ {ranges6} }} {_REFUSED}"


def _out(spec: LanSpec, plan: Plan) -> Iterator[str]:
    """Under the host's own address."""
    elsewhere = f'oifname != "{spec.bridge}" masquerade'
    yield f"ip saddr {plan.network4} {elsewhere}"
    yield f"ip6 saddr {plan.network6} {elsewhere}"


def _chain(name: str, kind: str, rules: Iterable[str]) -> str:
    lines = [f"type {kind}; policy accept;"] if kind else []
    text = "".join(f"\t\t{line}\n" for line in [*lines, *rules])
    return f"\tchain {name} {{\n{text}\t}}\n"
