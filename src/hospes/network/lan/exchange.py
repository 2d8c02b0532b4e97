"""A network's process at work: frames from port to port by the switch, and a gateway on one.

In a network that is a bridge of the host's, frames pass that, and the kernel is the gateway; ours
is there for its servers, as one station more.
"""

import ipaddress
import os
import socket
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from hospes.base.asking import pack_error, pack_value
from hospes.base.clock import HostClock
from hospes.base.errors import HospesError
from hospes.base.log import save_crash
from hospes.base.unix import peer_user
from hospes.network.bridge.ports import passed
from hospes.network.framing import LENGTH_BYTES, with_length
from hospes.network.host_poll import READ, Poll
from hospes.network.lan import messages
from hospes.network.lan.directory import LanDirectory, fixed_of, plan_of
from hospes.network.lan.line import Line, refuse
from hospes.network.leases import Leases
from hospes.network.published import Publication as Wired
from hospes.network.switch import NOWHERE, Switch, Targets
from hospes.network.tap import Tap
from hospes.network.user_network import UserNetwork
from hospes.network.vnet import Offloads
from hospes.spec.net import Publication, mac_bytes

GATEWAY: Final = 0
"""The gateway's port."""
BATCH: Final = 64
BATCHES: Final = 16
"""Of the gateway's frames before others have their turn."""
LINES_MAX: Final = 4096
LINGER_SECONDS: Final = 0.5
"""Without a machine the process ends; one that starts anew finds it still there."""
FIRST_SECONDS: Final = 20.0
"""How long it waits for the first machine."""
PAUSE_SECONDS: Final = 0.05
SAVE_SECONDS: Final = 5.0
ADDRESSES_AT: Final = 12
ADDRESSES_BYTES: Final = 12


class Exchange:
    """Serves a listening socket until no machine is plugged in any more.

    Everything happens on the thread of `run`; the gateway has one of its own for the host's
    sockets, and so has the port of a bridge.
    """

    def __init__(self, directory: LanDirectory, listener: socket.socket) -> None:
        self._directory, self._listener = directory, listener
        spec = directory.spec
        self._spec, plan = spec, plan_of(spec)
        self._clock, self._poll = HostClock(), Poll()
        self._leases_changed = False
        self._leases = Leases(plan, fixed_of(spec), directory.leases, self._note_leases)
        self._port = Tap("", spec.bridge, ring=self._poll.wake) if spec.bridge else None
        self._switch = Switch()
        self._gateway = UserNetwork(
            plan, ring=self._poll.wake, leases=self._leases, station_of=self._switch.port_of
        )
        self._gateway.accept(Offloads.CSUM | Offloads.TSO4 | Offloads.TSO6)
        self._switch.attach(GATEWAY, plan.mac)
        self._lines: dict[int, Line] = {}
        self._next, self._requests = GATEWAY + 1, list[tuple[Line, messages.Plug]]()
        self._published: dict[int, dict[Publication, Wired]] = {}
        self._ends_s = time.monotonic() + FIRST_SECONDS
        self._answers: dict[type, Callable[[Line, Any], bytes]] = {
            messages.Publish: self._publish,
            messages.Withdraw: self._withdraw,
            messages.Look: self._look,
        }
        listener.setblocking(False)
        self._poll.want(listener.fileno(), 0, READ, self._accept)

    def run(self) -> None:
        """Serve until the last machine is gone."""
        while not self._is_over():
            for ready, events in self._poll.wait(self._seconds()):
                try:
                    ready(events)
                except Exception as error:
                    save_crash(error)
            if self._port is None:
                self._deliver()
            else:
                self._exchange(self._port)
            self._admit()
            self._save_leases()

    def close(self) -> None:
        """Hang up on everybody."""
        for line in list(self._lines.values()):
            line.close()
        if self._port is not None:
            self._port.close()
        self._gateway.close()
        self._save_leases()
        self._poll.close()

    def _is_over(self) -> bool:
        if len(self._switch) > 1:
            self._ends_s = time.monotonic() + LINGER_SECONDS
            return False
        return time.monotonic() >= self._ends_s

    def _seconds(self) -> float | None:
        if self._gateway.waiting or (self._port is not None and self._port.waiting):
            return 0.0
        if len(self._switch) > 1:
            return SAVE_SECONDS if self._leases_changed else None
        return max(0.0, self._ends_s - time.monotonic())

    def _accept(self, events: int) -> None:
        try:
            ours, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:
            time.sleep(PAUSE_SECONDS)  # Too many open files: some may be closed soon.
            return
        if peer_user(ours) != os.getuid() or len(self._lines) >= LINES_MAX:
            ours.close()
            return
        line = Line(self._next, ours, self._poll, self)
        self._lines[line.number] = line
        self._next += 1

    def gone(self, line: Line) -> None:
        """See Owner."""
        line.close()
        if self._lines.pop(line.number, None) is None or not line.plugged:
            return
        self._switch.detach(line.number)
        for wired in self._published.pop(line.number, {}).values():
            self._gateway.withdraw(wired)
        self._gateway.leave(line.mac)

    def asked(self, line: Line, message: bytes) -> None:
        """See Owner."""
        try:
            request = messages.unpack_request(message)
        except HospesError as error:
            line.answer(pack_error(error))
            self.gone(line)
            return
        if isinstance(request, messages.Plug):
            # Dealt with once this round's ends are known: its card may have had another cable.
            line.asking = True
            self._requests.append((line, request))
            self._poll.wake()
        else:
            refuse(line, partial(self._answers[type(request)], line, request))

    def _admit(self) -> None:
        """Plug in who asked for it."""
        requests, self._requests = self._requests, []
        for line, request in requests:
            if line.open:
                line.asking = False
                refuse(line, partial(self._plug, line, request))

    def _plug(self, line: Line, request: messages.Plug) -> bytes:
        mac, name = mac_bytes(request.mac), request.name.lower()
        network = self._directory.name
        if self._switch.is_taken(mac):
            raise HospesError(
                f"a card with the address {request.mac} is in the network {network!r} already; "
                "give this machine another"
            )
        if name and any(one.name == name and one.plugged for one in self._lines.values()):
            raise HospesError(
                f"a machine called {name!r} is in the network {network!r} already; rename one"
            )
        address = self._gateway.join(mac, name)
        if address is None:
            raise HospesError(
                f"the network {network!r} has no address left in {self._spec.subnet}; stop a "
                "machine, or make a larger network"
            )
        self._switch.attach(line.number, mac, strict=self._spec.strict)
        line.plug(mac, name, address)
        return pack_value(messages.Plugged(str(ipaddress.ip_address(address))))

    def sent(self, line: Line, pieces: list[tuple[int, int]]) -> None:
        """See Owner. Frames in a row that go the same way are passed on as one."""
        view, now_ns = line.inbox.view, self._clock.monotonic_ns()
        going, first, count = NOWHERE, pieces[0][0] - LENGTH_BYTES, 0
        touched: set[int] = set()
        for start, _ in pieces:
            at = start + ADDRESSES_AT
            addresses = bytes(view[at : at + ADDRESSES_BYTES])
            targets = self._switch.targets(line.number, addresses, now_ns)
            if targets != going:
                self._pass_on(going, view[first : start - LENGTH_BYTES], count)
                going, first, count = targets, start - LENGTH_BYTES, 0
            count += 1
            touched.update(targets)
        self._pass_on(going, view[first : pieces[-1][1]], count)
        line.frames_sent += len(pieces)
        line.bytes_sent += pieces[-1][1] - pieces[0][0]
        self._flush(touched)

    def _pass_on(self, targets: Targets, run: memoryview, count: int) -> None:
        for number in targets:
            if number != GATEWAY:
                self._lines[number].pass_on(run, count)
            else:
                self._gateway.send(_cut(run))

    def _flush(self, numbers: set[int]) -> None:
        for number in numbers:
            line = self._lines.get(number)
            if line is not None:
                line.flush()

    def _deliver(self) -> None:
        """What the gateway has for machines."""
        touched: set[int] = set()
        now_ns = self._clock.monotonic_ns()
        for _ in range(BATCHES):
            frames = self._gateway.receive(BATCH)
            if not frames:
                break
            for frame in frames:
                addresses = frame[ADDRESSES_AT : ADDRESSES_AT + ADDRESSES_BYTES]
                targets = self._switch.targets(GATEWAY, addresses, now_ns)
                for number in targets:
                    self._lines[number].pass_on(with_length(frame), 1)
                touched.update(targets)
        self._flush(touched)

    def _exchange(self, port: Tap) -> None:
        """What the bridge has for the gateway, and what that has for the bridge."""
        for _ in range(BATCHES):
            inwards, outwards = port.receive(BATCH), self._gateway.receive(BATCH)
            if not inwards and not outwards:
                break
            self._gateway.send(inwards)
            port.send(outwards)

    def _publish(self, line: Line, request: messages.Publish) -> bytes:
        owner = self._owner(request.mac)
        wanted = request.publication
        guest = socket.inet_ntoa(owner.address)
        host = (str(wanted.protocol), wanted.host_address, wanted.host_port)
        published = self._published.setdefault(owner.number, {})
        published[wanted] = self._gateway.publish(Wired(*host, guest, wanted.guest_port))
        return pack_value(None)

    def _withdraw(self, line: Line, request: messages.Withdraw) -> bytes:
        owner, unwanted = self._owner(request.mac), request.publication
        wired = self._published.get(owner.number, {}).pop(unwanted, None)
        if wired is None:
            host = f"{unwanted.protocol} {unwanted.host_address}:{unwanted.host_port}"
            raise HospesError(f"{host} is not published; there is nothing to remove")
        self._gateway.withdraw(wired)
        return pack_value(None)

    def _owner(self, mac: str) -> Line:
        wanted = mac_bytes(mac)
        for line in self._lines.values():
            if line.plugged and line.mac == wanted:
                return line
        raise HospesError(f"no card with the address {mac} is plugged in; start its machine")

    def _look(self, line: Line, request: messages.Look) -> bytes:
        plugged = [self._station(one) for one in self._lines.values() if one.plugged]
        return pack_value(
            messages.LanState(
                process=os.getpid(),
                stations=tuple(plugged),
                switch=asdict(self._switch.counts),
                gateway=asdict(self._gateway.statistics),
            )
        )

    def _station(self, line: Line) -> messages.Station:
        lease = self._leases.find(line.mac)
        counted = line.passed if self._port is None else passed(line.mac)
        return messages.Station(
            name=line.name or (lease.name if lease else ""),
            mac=line.mac.hex(":"),
            address=str(ipaddress.ip_address(line.address)),
            published=tuple(self._published.get(line.number, ())),
            **counted._asdict(),
        )

    def _note_leases(self) -> None:
        """Called by any thread, with the gateway's lock held."""
        self._leases_changed = True
        self._poll.wake()

    def _save_leases(self) -> None:
        if not self._leases_changed:
            return
        self._leases_changed = False
        try:
            self._directory.keep(self._leases.kept)
        except OSError:
            self._leases_changed = True  # The disk is full: they are written later.


def _cut(run: memoryview) -> list[bytes]:
    """The frames of a run."""
    frames, at = [], 0
    while at < len(run):
        start = at + LENGTH_BYTES
        at = start + int.from_bytes(run[at:start])
        frames.append(bytes(run[start:at]))
    return frames
