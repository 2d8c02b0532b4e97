"""Which address each card of a network has, and what its machine is called there."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from hospes.network.plan import Plan

STRANGERS_MAX: Final = 64
"""Cards with leases that nobody has plugged in here: guests make them up."""


@dataclass(frozen=True)
class Lease:
    """Packed addresses, and a name ("" for none) in lower case."""

    mac: bytes
    address: bytes
    name: str = ""


class Leases:
    """Each card gets the same address again; `known` are those of before, used longest ago first.

    `fixed` has packed addresses by name or by packed MAC address, which nobody else gets. A card
    that is plugged in holds its lease; those of cards that were are remembered while there is room,
    and given to no stranger. `changed` is called when there is something to be kept.
    """

    def __init__(
        self,
        plan: Plan,
        fixed: Mapping[str | bytes, bytes] | None = None,
        known: Iterable[Lease] = (),
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._plan, self._fixed, self._changed = plan, dict(fixed or {}), changed
        self._by_mac: dict[bytes, Lease] = {}
        self._by_address: dict[bytes, Lease] = {}
        self._held: set[bytes] = set()
        self._strangers: set[bytes] = set()
        for lease in known:
            if self._may_have(lease) and lease.address not in self._by_address:
                self._put(lease)

    @property
    def kept(self) -> list[Lease]:
        """What is to be known the next time, used longest ago first."""
        return [one for mac, one in self._by_mac.items() if mac not in self._strangers]

    def find(self, mac: bytes) -> Lease | None:
        """The card's lease, if it has one."""
        return self._by_mac.get(mac)

    def holder(self, address: bytes) -> bytes | None:
        """The card that is plugged in and has this address."""
        lease = self._by_address.get(address)
        return lease.mac if lease is not None and lease.mac in self._held else None

    def called(self, name: str) -> Lease | None:
        """The lease of a machine that is there."""
        found = (one for one in self._by_mac.values() if one.name == name and self._is_here(one))
        return next(found, None)

    def name_of(self, address: bytes) -> str | None:
        """The name of the machine that has this address and is there."""
        lease = self._by_address.get(address)
        return lease.name or None if lease is not None and self._is_here(lease) else None

    def hold(self, mac: bytes, name: str) -> Lease | None:
        """A card is plugged in, of a machine called so; None when there is no address left."""
        self._held.add(mac)
        self._strangers.discard(mac)
        old = self._by_mac.get(mac)
        lease = self._give(mac, name or (old.name if old else ""))
        if lease is None:
            self._held.discard(mac)
        else:
            self._changed()
        return lease

    def let_go(self, mac: bytes) -> None:
        """The card is plugged in no more."""
        self._held.discard(mac)

    def give(self, mac: bytes) -> Lease | None:
        """A card asks; None when there is no address for it."""
        if mac in self._by_mac:
            return self._by_mac[mac]
        if len(self._strangers) >= STRANGERS_MAX:
            return None
        self._strangers.add(mac)
        lease = self._give(mac, "")
        if lease is None:
            self._strangers.discard(mac)
        return lease

    def release(self, mac: bytes) -> None:
        """A guest needs it no more; only a stranger's is free then."""
        if mac in self._strangers:
            self._drop(mac)

    def call(self, mac: bytes, name: str) -> None:
        """A guest says what it is called: it is, unless it or another is called something."""
        lease = self._by_mac.get(mac)
        if lease is None or lease.name or any(one.name == name for one in self._by_mac.values()):
            return
        self._by_mac[mac] = self._by_address[lease.address] = replace(lease, name=name)
        self._changed()

    def _is_here(self, lease: Lease) -> bool:
        return lease.mac in self._held or lease.mac in self._strangers

    def _give(self, mac: bytes, name: str) -> Lease | None:
        """The lease for a card, kept as the one used last."""
        old = self._by_mac.get(mac)
        address = self._fixed_for(Lease(mac, b"", name)) or (old and old.address) or self._free(mac)
        if not address:
            return None
        lease = Lease(mac, address, name)
        self._put(lease)
        return lease

    def _may_have(self, lease: Lease) -> bool:
        """Whether a lease of before still fits the network and what was promised."""
        promised = self._fixed_for(lease)
        if promised is not None:
            return lease.address == promised
        return self._plan.is_free(lease.address) and lease.address not in self._fixed.values()

    def _fixed_for(self, lease: Lease) -> bytes | None:
        return self._fixed.get(lease.mac) or (self._fixed.get(lease.name) if lease.name else None)

    def _free(self, mac: bytes) -> bytes | None:
        """An address that nobody has or had; or that was used longest ago, but for strangers."""
        fixed = set(self._fixed.values())
        for address in self._plan.pool():
            if address not in self._by_address and address not in fixed:
                return address
        if mac in self._strangers:
            return None
        for lease in self._by_mac.values():
            if lease.mac not in self._held and lease.address not in fixed:
                return lease.address
        return None

    def _put(self, lease: Lease) -> None:
        """Who else had the address or the name loses it."""
        self._drop(lease.mac, forget=False)
        other = self._by_address.get(lease.address)
        if other is not None:
            self._drop(other.mac)
        if lease.name:
            for one in [each for each in self._by_mac.values() if each.name == lease.name]:
                self._by_mac[one.mac] = self._by_address[one.address] = replace(one, name="")
        self._by_mac[lease.mac] = self._by_address[lease.address] = lease

    def _drop(self, mac: bytes, *, forget: bool = True) -> None:
        lease = self._by_mac.pop(mac, None)
        if lease is not None:
            del self._by_address[lease.address]
        if forget:
            self._strangers.discard(mac)
