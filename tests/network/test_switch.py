"""The learning switch alone: where frames go, what it learns and forgets, what nobody can do."""

import random

import pytest

from hospes.network.switch import AGE_NS, LEARNED_MAX, NOWHERE, SETTLED_NS, Switch

SECOND = 1_000_000_000
EVERYBODY = b"\xff" * 6
GROUP = bytes.fromhex("333300000001")


def mac(number: int) -> bytes:
    return b"\x02\0\0" + number.to_bytes(3, "big")


CARDS = [mac(number) for number in range(4)]


class Wired:
    """A switch with four cards, and time."""

    def __init__(self, *, strict: bool = False) -> None:
        self.switch, self.now = Switch(), SECOND
        for number, card in enumerate(CARDS):
            self.switch.attach(number, card, strict=strict)

    def send(self, port: int, to: bytes, source: bytes | None = None) -> set[int]:
        own = CARDS[port] if source is None else source
        return set(self.switch.targets(port, to + own, self.now))


@pytest.fixture
def wired() -> Wired:
    return Wired()


def test_a_card_that_is_plugged_in_is_found_at_once(wired: Wired) -> None:
    assert wired.send(0, CARDS[2]) == {2}
    assert wired.send(2, CARDS[0]) == {0}
    assert wired.switch.counts.flooded == 0


@pytest.mark.parametrize("to", [EVERYBODY, GROUP, mac(99)])
def test_what_is_for_all_or_unknown_goes_everywhere_but_back(wired: Wired, to: bytes) -> None:
    assert wired.send(1, to) == {0, 2, 3}
    assert wired.switch.counts.flooded == (to == mac(99))


def test_what_is_for_a_station_on_the_same_port_goes_nowhere(wired: Wired) -> None:
    wired.send(1, CARDS[0], mac(50))
    assert wired.send(1, mac(50)) == set()
    assert wired.send(1, CARDS[1]) == set()
    assert wired.switch.counts.nowhere == 2


def test_a_station_behind_a_guest_is_learnt_and_forgotten(wired: Wired) -> None:
    assert wired.send(1, CARDS[0], mac(50)) == {0}
    assert wired.send(2, mac(50)) == {1}
    wired.now += AGE_NS + 1
    assert wired.send(2, mac(50)) == {0, 1, 3}


def test_what_goes_on_is_not_forgotten(wired: Wired) -> None:
    for _ in range(10):
        wired.send(1, CARDS[0], mac(50))
        wired.now += AGE_NS // 2
        assert wired.send(2, mac(50)) == {1}


def test_a_cards_own_address_is_never_another_ports(wired: Wired) -> None:
    assert wired.send(1, CARDS[0], CARDS[2]) == set()
    assert wired.send(0, CARDS[2]) == {2}
    assert wired.switch.counts.spoofed == 1


@pytest.mark.parametrize("source", [EVERYBODY, GROUP, bytes(6)])
def test_a_frame_is_from_a_single_station(wired: Wired, source: bytes) -> None:
    assert wired.send(1, CARDS[0], source) == set()
    assert wired.switch.counts.spoofed == 1


def test_an_address_moves_but_not_all_the_time(wired: Wired) -> None:
    wired.send(1, CARDS[0], mac(50))
    assert wired.send(2, CARDS[0], mac(50)) == set()
    assert wired.send(0, mac(50)) == {1}
    wired.now += SETTLED_NS
    assert wired.send(2, CARDS[0], mac(50)) == {0}
    assert wired.send(0, mac(50)) == {2}
    counts = wired.switch.counts
    assert (counts.moved, counts.refused) == (1, 1)


def test_a_port_cannot_make_the_switch_forget_others(wired: Wired) -> None:
    wired.send(2, CARDS[0], mac(50))
    for number in range(100, 100 + 5 * LEARNED_MAX):
        wired.send(1, CARDS[0], mac(number))
    assert wired.send(0, mac(50)) == {2}
    assert wired.send(0, mac(99 + 5 * LEARNED_MAX)) == {1}
    assert wired.send(0, mac(100)) == {1, 2, 3}
    assert len(wired.switch._places) == LEARNED_MAX + 1


def test_strict_ports_have_one_address() -> None:
    wired = Wired(strict=True)
    assert wired.send(1, CARDS[0], mac(50)) == set()
    assert wired.send(1, CARDS[0]) == {0}
    assert wired.switch._places == {}


def test_what_was_behind_a_port_goes_with_it(wired: Wired) -> None:
    wired.send(1, CARDS[0], mac(50))
    wired.send(0, mac(50))
    wired.send(0, CARDS[1])
    wired.switch.detach(1)
    assert wired.send(0, mac(50)) == {2, 3}
    assert wired.send(0, CARDS[1]) == {2, 3}
    assert not wired.switch.is_taken(CARDS[1])
    wired.switch.attach(7, CARDS[1])
    assert wired.send(0, CARDS[1]) == {7}


def test_a_new_card_gets_its_address_back_from_who_borrowed_it(wired: Wired) -> None:
    wired.send(1, CARDS[0], mac(50))
    wired.switch.attach(9, mac(50))
    assert wired.send(0, mac(50)) == {9}
    assert wired.send(1, CARDS[0], mac(50)) == set()


def test_anything_in_any_order_keeps_the_books() -> None:
    """Against a plain account of who may be where."""
    chance, switch, now = random.Random(7), Switch(), SECOND
    plugged: dict[int, bytes] = {}
    stations = [mac(number) for number in range(12)] + [EVERYBODY, bytes(6)]
    for _ in range(20_000):
        action = chance.random()
        number = chance.randrange(8)
        if action < 0.03 and number not in plugged and not switch.is_taken(stations[number]):
            switch.attach(number, stations[number], strict=chance.random() < 0.2)
            plugged[number] = stations[number]
        elif action < 0.05 and number in plugged:
            switch.detach(number)
            del plugged[number]
        elif number in plugged:
            source = plugged[number] if chance.random() < 0.5 else chance.choice(stations)
            to = chance.choice(stations)
            found = switch.targets(number, to + source, now)
            assert number not in found
            assert set(found) <= plugged.keys()
            owner = next((port for port, own in plugged.items() if own == to), None)
            if found != NOWHERE and owner is not None:
                assert found == (owner,)
            if source in plugged.values() and source != plugged[number]:
                assert found == NOWHERE
        now += chance.choice((0, 1, SECOND, AGE_NS))
        learned = {one for port in switch._ports.values() for one in port.learned}
        assert learned == switch._places.keys()
        assert not learned & set(plugged.values())
