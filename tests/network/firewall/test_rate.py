"""Rates: what holds in the long run, and for whom."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.network.firewall.wall import SECOND, Wall
from tests.network.frames import GUEST4, WORLD4, ethernet, udp

from hospes.network.firewall.rate import BURST_BYTES_MIN, HELD_BYTES_MAX, Bucket, bucket_for
from hospes.spec.firewall import Direction

DATA = bytes(958)
FRAME_BYTES = 1000
OUT = udp((GUEST4, 9), (WORLD4, 443), DATA)
OTHER = udp((GUEST4, 9), (WORLD4, 80), DATA)
IN = udp((WORLD4, 443), (GUEST4, 9), DATA)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1 << 32))
def test_no_more_passes_than_the_rate_a_burst_and_one_frame(seed: int) -> None:
    chance, bucket, now, passed = random.Random(seed), bucket_for(8_000_000), 0, 0
    for _ in range(300):
        size = chance.randrange(1, 70_000)
        now += chance.choice((0, 1, SECOND // 1000, SECOND // 10))
        if bucket.take(size, now):
            passed += size
        assert passed <= BURST_BYTES_MIN + now / SECOND * 1_000_000 + 70_000


def test_a_clock_that_stands_still_gives_nothing() -> None:
    bucket = Bucket(10, 5)
    assert [bucket.take(3, 7) for _ in range(3)] == [True, True, False]
    assert not bucket.take(1, 6)


def test_a_rate_is_of_what_goes_in_its_direction() -> None:
    """Twice as much as may pass comes for 2 s; the rest follows in the next 2 s."""
    wall, passed = Wall("allow:in", "rate:out:8M"), 0
    for _ in range(2000):
        passed += wall.out(OUT, OTHER) + wall.due()
        assert wall.into(IN) == 1
        wall.wait(0.001)
    assert abs(passed - 2000 - BURST_BYTES_MIN / FRAME_BYTES) < 5
    assert wall.counts()["limit out 8Mbit/s"] == (4000, 0)
    for _ in range(2000):
        passed += wall.due()
        wall.wait(0.001)
    assert passed == 4000
    assert wall.firewall.due_in_ns(Direction.OUT, wall.now) is None


def test_what_waits_is_bounded_and_stays_in_order() -> None:
    wall = Wall("rate:out:80k")
    for _ in range(5000):
        wall.out(OUT)
    counted, dropped = wall.counts()["limit out 80kbit/s"]
    assert counted + dropped == 5000
    assert 0 <= counted * FRAME_BYTES - HELD_BYTES_MAX - BURST_BYTES_MIN < 2 * FRAME_BYTES
    last = udp((GUEST4, 9), (WORLD4, 80), b"last")
    wall.wait(0.1)
    assert wall.firewall.outgoing([last], wall.now) == []
    due_ns = wall.firewall.due_in_ns(Direction.OUT, wall.now)
    assert due_ns == 0
    assert wall.due(limit=1) == 1
    due_ns = wall.firewall.due_in_ns(Direction.OUT, wall.now)
    assert due_ns is not None
    assert 0 < due_ns <= SECOND // 10
    wall.wait(due_ns / SECOND)
    assert wall.due() == 1


def test_a_rate_of_some_connections_stands_in_for_that_of_all() -> None:
    wall = Wall("rate:in:8k", "rate:in:udp:443:16k", "rate:out:80:8k")
    wall.out(OUT, OTHER)
    burst = BURST_BYTES_MIN // FRAME_BYTES
    assert sum(wall.into(IN) for _ in range(300)) == burst + 1
    assert wall.counts()["limit in udp:443:16kbit/s"] == (300, 0)
    assert wall.counts()["limit in 8kbit/s"] == (0, 0)
    assert sum(wall.out(OUT) for _ in range(300)) == 300
    assert sum(wall.out(OTHER) for _ in range(300)) == burst


def test_a_limit_that_goes_lets_go_of_what_waits() -> None:
    wall = Wall("rate:out:8k")
    passed = sum(wall.out(OUT) for _ in range(300))
    wall.change("rate:out:8k", "deny:out:tcp:25")
    assert wall.due() == 0
    wall.change("rate:out:16k")
    wall.change("deny:in")
    assert wall.due() == 300 - passed
    assert wall.out(OUT) == 1


def test_what_waits_is_gone_with_its_guest() -> None:
    wall = Wall("rate:out:8k")
    for _ in range(300):
        wall.out(OUT)
    wall.firewall.reset()
    wall.wait(1000)
    assert wall.due() == 0
    assert wall.firewall.due_in_ns(Direction.OUT, wall.now) is None


def test_the_network_keeps_what_it_has_when_enough_waits() -> None:
    wall = Wall("allow:in", "rate:in:8k")
    assert not wall.firewall.is_choked
    for _ in range(500):
        wall.into(IN)
    assert wall.firewall.is_choked


def test_a_rate_holds_for_all_that_is_not_ip_as_well() -> None:
    wall = Wall("rate:out:8k", "rate:out:udp:8k")
    strange = ethernet(0x88B5, bytes(986))
    assert sum(wall.out(strange) for _ in range(300)) == BURST_BYTES_MIN // FRAME_BYTES + 1
