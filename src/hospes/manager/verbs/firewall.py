"""A machine's firewall: the verb that shows it and changes it, whether the machine runs or not."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

from hospes.base.errors import HospesError
from hospes.manager.manager import Manager
from hospes.manager.verb import verb
from hospes.manager.verbs.machines import Remarks

if TYPE_CHECKING:
    from hospes.manager.store import MachineDirectory
    from hospes.spec.firewall import FirewallRow, FirewallSpec, FirewallStatus
    from hospes.spec.machine import MachineSpec

Texts = list[str] | None


@verb("POST /machines/{name}/firewall")
def firewall(
    m: Manager,
    name: Annotated[str, "the machine"],
    *,
    deny: Annotated[Texts, "in or out, or connections such as out:tcp:25"] = None,
    allow: Annotated[Texts, "in or out, or such as in:tcp:80 or out:*.lan,out:10.0.0.0/8"] = None,
    rate: Annotated[Texts, "bits per second, such as out:10M or in:tcp:443:500k"] = None,
    remove: Annotated[Texts, "rules and limits on just these connections"] = None,
    reset: Annotated[bool, "begin without any rule; alone, without a firewall"] = False,
    list: Annotated[bool, "show the rules after changing them, too"] = False,
    json: Annotated[bool, "show them as JSON"] = False,
) -> "tuple[FirewallRow, ...] | Remarks | str | None":
    """Show or change what passes a machine's network card, and count it."""
    from hospes.manager.store import Store

    machine = Store().find(name)
    changes = any((deny, allow, rate, remove, reset))
    if changes:
        _change(machine, deny or (), allow or (), rate or (), remove or (), reset)
        if not list and not json:
            return None
    return _shown(machine, json)


def _change(
    machine: "MachineDirectory",
    deny: Sequence[str],
    allow: Sequence[str],
    rate: Sequence[str],
    remove: Sequence[str],
    reset: bool,
) -> None:
    """Change what was asked for, and then the machine if it runs."""
    from dataclasses import replace

    from hospes.manager.link import Link
    from hospes.spec.firewall_rules import firewall_of, parse_firewall, parse_selectors

    _check_not_both(deny, allow)
    texts = [f"{kind}:{text}" for kind, text in _kinds(deny=deny, allow=allow, rate=rate)]
    unwanted = [selector for text in remove for selector in parse_selectors(text)]

    def edited(before: "FirewallSpec | None") -> "FirewallSpec | None":
        for selector in unwanted:
            if before is None:
                raise HospesError(f"the machine {machine.name!r} has no rules to remove")
            before = before.without(selector)
        return parse_firewall(texts, None if reset else before)

    def change(spec: "MachineSpec") -> "MachineSpec":
        _check_network(machine, spec)
        made = edited(firewall_of(spec.network.firewall))
        network = replace(spec.network, firewall=None if made is None else made.texts)
        return replace(spec, network=network)

    with machine.changed(change) as spec:
        if machine.runs:
            with Link(machine) as link:
                link.guard(spec.network.firewall)


def _check_not_both(deny: Sequence[str], allow: Sequence[str]) -> None:
    from hospes.spec.firewall_rules import parse_selectors

    denied = {selector for text in deny for selector in parse_selectors(text)}
    for text in allow:
        for selector in parse_selectors(text):
            if selector in denied:
                raise HospesError(f"{selector} is both denied and allowed; leave one of them out")


def _kinds(**texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Every text with what it is about."""
    return ((kind, text) for kind, several in texts.items() for text in several)


def _check_network(machine: "MachineDirectory", spec: "MachineSpec") -> None:
    from hospes.spec.net import NetworkKind

    if spec.network.kind == NetworkKind.NONE:
        raise HospesError(
            f"the machine {machine.name!r} has no network for a firewall; make one with "
            "--network nat"
        )


def _shown(
    machine: "MachineDirectory", as_json: bool
) -> "tuple[FirewallRow, ...] | Remarks | str":
    status = _status(machine)
    rows = () if status is None else status.rows
    if as_json:
        import msgspec

        shown = {
            "firewall": None if status is None else status.texts,
            "connections": status.connections if status else 0,
            "names": status.names if status else 0,
            "counts": rows,
        }
        return msgspec.json.format(msgspec.json.encode(shown)).decode()
    if status is None:
        return Remarks(f"the machine {machine.name!r} has no firewall; --deny in gives it one")
    return rows


def _status(machine: "MachineDirectory") -> "FirewallStatus | None":
    """Of a machine that does not run, nothing has been counted."""
    from hospes.manager.link import Link
    from hospes.spec.firewall_rules import firewall_of

    spec = machine.spec
    _check_network(machine, spec)
    if machine.runs:
        with Link(machine) as link:
            return link.firewall()
    # Here, for it costs more than to ask a machine that runs.
    from hospes.network.firewall.filter import Firewall

    rules = firewall_of(spec.network.firewall)
    return None if rules is None else Firewall(rules).status()
