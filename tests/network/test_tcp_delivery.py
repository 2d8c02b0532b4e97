"""Whatever the cable and both ends do, TCP delivers every byte once, in order, both ways."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.network.frames import GUEST4, WORLD4
from tests.network.guest_tcp import GuestTcp
from tests.network.outside import Net

from hospes.network.limits import MILLISECOND_NS, Limits
from hospes.network.plan import Plan
from hospes.network.tcp_state import Phase


class Run:
    """A guest, a network and a host's program, with a cable between that a dice rules."""

    def __init__(self, chance: random.Random, loss: float, sizes: tuple[int, int]) -> None:
        self.chance, self.loss = chance, loss
        self.net = Net(Plan(mtu=chance.choice((1280, 1500, 9000))), small(chance))
        self.net.host.takes = False
        up, down = (chance.randbytes(size) for size in sizes)
        start = chance.choice((0, 0xFFFF_FF00, chance.getrandbits(32)))
        self.guest = GuestTcp(up, start, chance.choice((1000, 20000, 200000)))
        self.to_send, self.want_up, self.want_down = down, up, down
        self.taken = b""
        self.outbound: list[bytes] = [self.guest.syn()]
        self.inbound: list[bytes] = []
        self.guest.closing = chance.random() < 0.5

    def step(self) -> None:
        carries = (self.carry_out, self.carry_out, self.carry_in, self.carry_in)
        self.chance.choice((*carries, self.host, self.guest_side))()
        self.inbound += self.net.take()

    def carry_out(self) -> None:
        if self.outbound:
            self.net.send(*self._draw(self.outbound))

    def carry_in(self) -> None:
        for frame in self._draw(self.inbound) if self.inbound else []:
            self.outbound += self.guest.deliver(frame)

    def _draw(self, frames: list[bytes]) -> list[bytes]:
        """One frame: mostly the first, perhaps lost, late or doubled."""
        at = 0 if self.chance.random() >= self.loss else self.chance.randrange(len(frames))
        frame = frames.pop(at)
        luck = self.chance.random()
        if luck < self.loss / 2:
            return []
        if luck < self.loss:
            frames.append(frame)
        return [frame]

    def host(self) -> None:
        net = self.net
        if not net.host.asked:
            return
        connection = net.host.asked[0][0]
        if connection.phase is Phase.CONNECTING:
            net.nat.tcp.connected(connection, net.now)
        elif connection.phase is Phase.OPEN:
            self._take(connection)
            room = min(connection.room, self.chance.choice((1, 700, 100000)))
            if room and self.to_send:
                connection.host_data(self.to_send[:room], net.now)
                self.to_send = self.to_send[room:]
            elif room and not connection.host_ended:
                connection.host_end(net.now)
        net.nat.tcp.touch(connection, net.now)

    def _take(self, connection) -> None:
        count = min(self.chance.choice((1, 3000, 1 << 20)), connection.receive.pending_bytes)
        if count:
            self.taken += b"".join(connection.pending)[:count]
            connection.taken(count, self.net.now)

    def guest_side(self) -> None:
        if self.guest.unread and self.chance.random() < 0.7:
            self.outbound.append(self.guest.read(self.chance.choice((100, 5000, 1 << 20))))
        self.outbound += self.guest.transmit(again=self.chance.random() < 0.1)
        self.net.pass_time(self.chance.choice((0, 1, 50)) * MILLISECOND_NS)
        if not self.outbound and not self.inbound:
            self.net.pass_time(300 * MILLISECOND_NS)

    def finish(self) -> None:
        """The cable is good from here on and time passes, until everything is over."""
        self.loss, self.guest.closing = 0.0, True
        for _ in range(40000):
            self.step()
            if not self.outbound and not self.inbound:
                self.outbound += self.guest.transmit(again=True)
                self.net.pass_time(1000 * MILLISECOND_NS)
                self.inbound += self.net.take()
            over = self.guest.done or (self.guest.finished and self.guest.reset)
            if over and not len(self.net.nat.tcp):
                return


def small(chance: random.Random) -> Limits:
    connection_bytes = chance.choice((4096, 65536, 1 << 20))
    return Limits(
        connection_bytes=connection_bytes,
        assured_bytes=min(connection_bytes, chance.choice((2048, 65536))),
        total_bytes=chance.choice((0, 100_000, 1 << 26)),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 1 << 32),
    loss=st.sampled_from((0.0, 0.05, 0.3)),
    up=st.sampled_from((0, 1, 5000, 60000)),
    down=st.sampled_from((0, 1, 5000, 150000)),
)
def test_every_byte_once_and_in_order(seed: int, loss: float, up: int, down: int) -> None:
    run = Run(random.Random(seed), loss, (up, down))
    for _ in range(600):
        run.step()
    run.finish()
    assert run.taken == run.want_up
    assert run.guest.received == run.want_down
    assert run.net.host.finished
    # TIME-WAIT is short: a guest that misses the last acknowledgment for so long gets a reset.
    assert run.guest.done or (run.guest.finished and loss)
    assert len(run.net.nat.tcp) == 0
    assert run.net.nat.tcp.held == (0, 0)
    assert run.net.statistics.malformed == 0


@pytest.mark.parametrize("guest_first", [True, False])
def test_half_closed_connections_go_on(guest_first: bool) -> None:
    run = Run(random.Random(1), 0.0, (0, 0))
    guest, net = run.guest, run.net
    guest.room = 1 << 20
    net.send(guest.syn())
    connection = net.host.asked[0][0]
    assert net.host.asked[0][1:] == (WORLD4, 80)
    net.nat.tcp.connected(connection, net.now)
    pump(run)
    if guest_first:
        guest.closing = True
        net.send(*guest.transmit())
        assert net.host.finished == {connection}
        for _ in range(5):
            connection.host_data(b"still here", net.now)
            pump(run)
        assert guest.received == b"still here" * 5
        connection.host_end(net.now)
        pump(run)
        assert connection.phase is Phase.CLOSED
    else:
        connection.host_end(net.now)
        pump(run)
        assert guest.finished
        guest.data = b"and so am I"
        guest.closing = True
        net.host.takes = True
        net.send(*guest.transmit())
        assert net.host.received[connection] == b"and so am I"
        assert connection.phase is Phase.TIME_WAIT
        net.pass_time(2_000_000_000)
        assert connection.phase is Phase.CLOSED
    assert GUEST4 in connection.key


def pump(run: Run) -> None:
    """Carry frames until both are silent."""
    run.net.nat.tcp.settle(run.net.now)
    for _ in range(100):
        frames = run.net.take()
        if not frames:
            return
        for frame in frames:
            run.net.send(*run.guest.deliver(frame))
