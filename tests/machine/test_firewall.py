"""A firewall on a machine's cable: put in, changed and taken out while the machine runs."""

from pathlib import Path

import pytest
from tests.devices.virtio.net_driver import Network
from tests.machine.bare import executable
from tests.machine.test_cable import RESET, WAIT, Cable, Opened, make
from tests.network.firewall.wall import inbound, knock, syn
from tests.network.frames import RST, see

from hospes.base.clock import ManualClock
from hospes.base.errors import HospesError
from hospes.firmware.image import BootFiles
from hospes.machine.firewall import FETCHES_MAX, FirewalledNetwork, closed_ports
from hospes.machine.machine import Machine
from hospes.spec.firewall_rules import firewall_of
from hospes.spec.net import Publication, TransportKind
from hospes.spec.vm import EngineKind, VmSpec

PUBLISHED = Publication("127.0.0.1", 8080, 80)


@pytest.fixture
def opened() -> Opened:
    return Opened()


def walled(*texts: str, publications=None) -> tuple[FirewalledNetwork, Network, list[None]]:
    """It, the network behind it, and how often the machine was rung."""
    inner, rung = Network(), []
    return FirewalledNetwork(
        inner, firewall_of(texts), publications=publications, servers=(),
        ring=lambda: rung.append(None), clock=ManualClock(1 << 40),
    ), inner, rung  # fmt: skip


def test_what_is_refused_is_told_before_all_else() -> None:
    wall, inner, rung = walled("deny:out:tcp:25")
    wall.send([syn(25), syn(443)])
    assert (inner.sent, len(rung)) == ([syn(443)], 1)
    assert wall.waiting
    [told] = wall.receive(4)
    assert see(told).ports == (25, 40000)
    assert not wall.waiting
    wall.send([syn(443)])
    assert len(rung) == 1


def test_a_flood_is_taken_in_bounded_steps() -> None:
    wall, inner, _ = walled("deny:in")
    inner.queue += [inbound(knock(22, own=port)) for port in range(1, 1000)]
    assert wall.receive(16) == []
    assert len(inner.queue) == 999 - 16 * FETCHES_MAX
    assert wall.waiting


def test_where_ports_are_published_a_closed_one_refuses() -> None:
    wall, inner, _ = walled("deny:in", publications=lambda: [PUBLISHED])
    inner.queue.append(inbound(knock(80)))
    assert wall.receive(4) == []
    assert see(inner.sent[0]).tcp[2] & RST
    open_wall, other, _ = walled(publications=lambda: [PUBLISHED])
    other.queue.append(inbound(knock(80)))
    assert open_wall.receive(4) == [inbound(knock(80))]


def test_the_rest_is_the_networks() -> None:
    wall, inner, _ = walled()
    inner.link_up = False
    wall.accept(7)
    assert (wall.link_up, inner.accepted) == (False, [7])


@pytest.mark.parametrize(
    ("texts", "closed"),
    [
        ((), 0), (("deny:in",), 1), (("deny:in", "allow:in:tcp:80"), 0), (("allow:in",), 0),
        (("deny:in", "allow:in:70-90"), 0), (("deny:in", "allow:in:udp:80"), 1),
        (("deny:in", "allow:in:10.0.0.0/8"), 0),
    ],
)  # fmt: skip
def test_published_ports_that_are_closed_are_told(texts: tuple[str, ...], closed: int) -> None:
    spec = firewall_of(texts)
    assert spec is not None
    told = list(closed_ports(spec, [PUBLISHED]))
    assert len(told) == closed
    assert all("open it with 'allow:in:tcp:80'" in sentence for sentence in told)


def at(machine: Machine):
    return machine.at_cable(lambda cable: (cable.firewall, cable.end))


def test_without_one_the_card_has_the_network_itself(opened: Opened) -> None:
    with make(WAIT, opened) as machine:
        card = machine._powered.board.network
        assert card._network is opened[0]
        assert at(machine) == (None, opened[0])
        machine.start()
        machine.at_cable(lambda cable: cable.guard(firewall_of(["deny:in"])))
        status, end = at(machine)
        assert status.texts == ("deny:in",)
        assert card._network is end is not opened[0]
        machine.at_cable(lambda cable: cable.guard(firewall_of(["allow:in"])))
        assert at(machine)[0].texts == ("allow:in",)
        assert card._network is end
        machine.at_cable(lambda cable: cable.guard(None))
        assert card._network is opened[0]


def test_it_is_there_from_the_start_and_over_resets(opened: Opened) -> None:
    with make(RESET, opened, firewall=("deny:in",)) as machine:
        assert machine._powered.board.network._network is at(machine)[1] is not opened[0]
        machine.start()
        while machine.restarts < 2:
            assert machine.ending is None
        assert at(machine)[0].texts == ("deny:in",)
        assert machine.at_cable(lambda cable: cable._card._network is cable.end)


def test_a_cable_that_is_pulled_out_stays_so_until_it_is_put_back(opened: Opened) -> None:
    with make(RESET, opened) as machine:
        machine.start()
        machine.at_cable(lambda cable: cable.set_link(False))
        [network], restarts = opened, machine.restarts
        network.queue += [inbound(knock(80))] * 300
        while machine.restarts < restarts + 2:
            assert machine.ending is None
        assert machine.at_cable(lambda cable: cable._card.link_up) is False
        machine.at_cable(lambda cable: cable.guard(firewall_of(["deny:in"])))
        assert machine.at_cable(lambda cable: cable.is_plugged_in) is False
        machine.at_cable(lambda cable: cable.set_link(True))
        assert network.queue == []
        assert machine.at_cable(lambda cable: cable.end is cable._firewall)
        assert machine.at_cable(lambda cable: cable._card._network is cable.end)
        while not machine.at_cable(lambda cable: cable._card.link_up):
            assert machine.ending is None


def test_a_reset_of_the_machine_is_one_for_its_network(opened: Opened) -> None:
    class Remembering(Cable):
        resets = 0

        def reset(self) -> None:
            self.resets += 1

    opened.open = lambda spec, ring, remark: opened.append(Remembering(spec, ring)) or opened[-1]
    with make(RESET, opened) as machine:
        machine.start()
        while machine.restarts < 2:
            assert machine.ending is None
        assert machine.at_cable(lambda cable: cable.network.resets) >= 2


def test_a_machine_without_a_card() -> None:
    spec = VmSpec(bios=Path("t"), memory_bytes=8 << 20, engine=EngineKind.REFERENCE)
    files = BootFiles(firmware=executable(WAIT, 0x8000_0000))
    complaint = "has no network; start one with --network nat"
    with Machine(spec, files) as machine, pytest.raises(HospesError, match=complaint):
        at(machine)


def test_a_udp_port_is_published_as_such() -> None:
    wall, _, _ = walled(publications=lambda: [Publication("::1", 5, 53, TransportKind.UDP)])
    assert wall._published() == {(17, 53)}
