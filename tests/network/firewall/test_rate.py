"""Rates: what holds in the long run, and for whom."""

import random

from hypothesis import given
from hypothesis import strategies as st
from tests.network.firewall.wall import SECOND, Wall
from tests.network.frames import GUEST4, WORLD4, ethernet, udp

from hospes.network.firewall.rate import BURST_BYTES_MIN, Bucket, bucket_for

DATA = bytes(958)
FRAME_BYTES = 1000
OUT = udp((GUEST4, 9), (WORLD4, 443), DATA)
OTHER = udp((GUEST4, 9), (WORLD4, 80), DATA)
IN = udp((WORLD4, 443), (GUEST4, 9), DATA)


@given(st.randoms(use_true_random=False))
def test_no_more_passes_than_the_rate_a_burst_and_one_frame(chance: random.Random) -> None:
    bucket, now, passed = bucket_for(8_000_000), 0, 0
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
    wall = Wall("allow:in", "rate:out:8M")
    passed = 0
    for _ in range(1000):
        passed += wall.out(OUT, OTHER)
        assert wall.into(IN) == 1
        wall.wait(0.001)
    assert abs(passed - (1000 + BURST_BYTES_MIN / FRAME_BYTES)) < 5
    counted, dropped = wall.counts()["limit out 8Mbit/s"]
    assert (counted, counted + dropped) == (passed, 2000)


def test_a_rate_of_some_connections_holds_for_what_comes_back() -> None:
    wall = Wall("rate:in:udp:443:8k", "rate:out:80:8k")
    wall.out(OUT, OTHER)
    assert sum(wall.into(IN) for _ in range(300)) == BURST_BYTES_MIN // FRAME_BYTES + 1
    assert sum(wall.out(OUT) for _ in range(300)) == 300
    assert sum(wall.out(OTHER) for _ in range(300)) == BURST_BYTES_MIN // FRAME_BYTES


def test_a_rate_holds_for_all_that_is_not_ip_as_well() -> None:
    wall = Wall("rate:out:8k", "rate:out:udp:8k")
    strange = ethernet(0x88B5, bytes(986))
    assert sum(wall.out(strange) for _ in range(300)) == BURST_BYTES_MIN // FRAME_BYTES + 1
