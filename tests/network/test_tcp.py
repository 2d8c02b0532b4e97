"""TCP towards the guest, case by case (RFC 9293): refusals, resets, windows, timers, limits."""

import pytest
from tests.network.frames import ACK, FIN, GATEWAY4, GUEST4, RST, SYN, WORLD4, see, tcp
from tests.network.outside import SECOND, Net

from hospes.network.icmp import Unreachable
from hospes.network.limits import Limits
from hospes.network.plan import Plan
from hospes.network.tcp import Connection
from hospes.network.tcp_send import RETRIES_MAX
from hospes.network.tcp_state import Phase

GUEST, WORLD = (GUEST4, 4000), (WORLD4, 80)
OPTIONS = b"\x02\x04\x05\xb4\x01\x03\x03\x00"
ISS = int.from_bytes(bytes((1, 2, 3, 4)), "big")


def syn(net: Net, port: int = 4000, sequence: int = 100) -> None:
    net.send(tcp((GUEST4, port), WORLD, sequence, 0, SYN, options=OPTIONS))


def established(net: Net) -> Connection:
    syn(net)
    connection = net.host.asked[-1][0]
    net.nat.tcp.connected(connection, net.now)
    (frame,) = net.take()
    assert see(frame).tcp[:3] == (ISS, 101, SYN | ACK)
    net.send(tcp(GUEST, WORLD, 101, ISS + 1, ACK))
    assert connection.phase is Phase.OPEN
    assert net.take() == []
    return connection


def guest(net: Net, sequence: int, flags: int = ACK, ack: int = 1, **more) -> list:
    net.send(tcp(GUEST, WORLD, 101 + sequence, ISS + ack, flags, **more))
    return [see(frame) for frame in net.take()]


def test_a_syn_is_answered_when_the_host_has_connected() -> None:
    net = Net()
    syn(net)
    syn(net)
    assert net.take() == []
    assert len(net.host.asked) == 1
    net.nat.tcp.connected(net.host.asked[0][0], net.now)
    frame = net.take()[0]
    assert see(frame).payload[20:] == b"\x02\x04\x05\xb4\x01\x03\x03\x07"
    syn(net)
    assert net.take() == [frame]


@pytest.mark.parametrize(("why", "said"), [(None, None), (Unreachable.HOST, b"\x03\x01")])
def test_what_the_host_refuses_is_refused(why: Unreachable | None, said: bytes | None) -> None:
    net = Net()
    syn(net)
    net.nat.tcp.refused(net.host.asked[0][0], why)
    net.nat.tcp.touch(net.host.asked[0][0], net.now)
    (frame,) = net.take()
    seen = see(frame)
    assert seen.valid
    if said is None:
        assert seen.tcp[:3] == (0, 101, RST | ACK)
    else:
        assert seen.payload[:2] == said
        assert seen.payload[8 + 20 :][:8] == bytes((15, 160, 0, 80, 0, 0, 0, 100))
    assert len(net.nat.tcp) == 0


def test_the_host_and_its_secrets_are_out_of_reach() -> None:
    net = Net()
    for to in (GATEWAY4, bytes((127, 0, 0, 1)), bytes((169, 254, 169, 254)), bytes(4)):
        net.send(tcp(GUEST, (to, 80), 100, 0, SYN))
        assert see(net.take()[0]).payload[:2] == b"\x03\x0d"
    assert net.host.asked == []
    net = Net(Plan(allow_host=True))
    net.send(tcp(GUEST, (GATEWAY4, 80), 100, 0, SYN))
    assert net.host.asked[0][1:] == (bytes((127, 0, 0, 1)), 80)


def test_names_are_asked_by_tcp_of_the_hosts_resolver() -> None:
    net = Net()
    net.send(tcp(GUEST, (bytes((10, 0, 2, 3)), 53), 100, 0, SYN))
    assert net.host.asked[0][1:] == (bytes((8, 8, 8, 8)), 53)


def test_what_belongs_to_no_connection_is_reset() -> None:
    net = Net()
    assert [each.tcp[:3] for each in guest(net, 0, ack=50)] == [(ISS + 50, 0, RST)]
    assert [each.tcp[:3] for each in guest(net, 0, FIN, data=b"abc")] == [(0, 105, RST | ACK)]
    assert guest(net, 0, RST) == []


def test_resets_count_only_where_expected() -> None:
    net = Net()
    connection = established(net)
    assert [each.tcp[:3] for each in guest(net, 5, RST)] == [(ISS + 1, 101, ACK)]
    assert guest(net, 1 << 30, RST) == []
    assert [each.tcp[2] for each in guest(net, 0, SYN)] == [ACK]
    assert connection.phase is Phase.OPEN
    guest(net, 0, RST)
    assert (connection.phase, connection.aborted) == (Phase.CLOSED, True)
    assert len(net.nat.tcp) == 0


def test_the_hosts_reset_reaches_the_guest() -> None:
    net = Net()
    connection = established(net)
    connection.abort()
    net.nat.tcp.touch(connection, net.now)
    assert [see(frame).tcp[:3] for frame in net.take()] == [(ISS + 1, 101, RST | ACK)]


def test_the_window_follows_the_hosts_room() -> None:
    limits = Limits(connection_bytes=10000, assured_bytes=10000)
    net = Net(limits=limits)
    net.host.takes = False
    connection = established(net)
    at, window = 0, 10000
    while window > 1000:
        (seen,) = guest(net, at, data=bytes(1000))
        at += 1000
        window = seen.tcp[3] << 7
        assert 10000 - at - 128 < window <= 10000 - at
    guest(net, at, data=bytes(1000))
    (seen,) = guest(net, at + 1000, data=b"x")
    assert (seen.tcp[1], seen.tcp[3]) == (101 + 10000, 0)
    assert connection.receive.pending_bytes == 10000
    net.host.takes = True
    net.nat.tcp.touch(connection, net.now)
    (frame,) = net.take()
    assert see(frame).tcp[3] << 7 > 9800
    assert net.host.received[connection] == bytes(10000)


def test_a_closed_window_is_probed_until_it_opens() -> None:
    net = Net()
    connection = established(net)
    guest(net, 0, window=0)
    assert connection.room == 0
    for _ in range(30):
        net.pass_time(61 * SECOND)
        (frame,) = net.take()
        sequence, acknowledgment, flags, _, data = see(frame).tcp
        assert (sequence, acknowledgment, flags, data) == (ISS, 101, ACK, b"")
        guest(net, 0, window=0)
    guest(net, 0, window=5000)
    assert connection.room == 1460 * 3


def test_data_is_repeated_and_then_given_up() -> None:
    net = Net()
    connection = established(net)
    connection.host_data(b"hello", net.now)
    first = net.take()
    net.pass_time(100_000_000)
    assert net.take() == []
    times = 0
    while connection.phase is Phase.OPEN:
        net.pass_time(61 * SECOND)
        frames = net.take()
        times += frames == first
    assert times == RETRIES_MAX == net.statistics.retransmitted
    assert see(frames[-1]).tcp[2] == RST | ACK


def test_nothing_is_repeated_to_a_guest_that_takes_nothing() -> None:
    net = Net()
    connection = established(net)
    connection.host_data(b"hello", net.now)
    net.take()
    for _ in range(100):
        net.now += 61 * SECOND
        net.nat.tick(net.now, guest_waits=True)
    assert (net.take(), connection.phase) == ([], Phase.OPEN)


def test_three_repetitions_bring_the_segment_at_once() -> None:
    net = Net()
    connection = established(net)
    for _ in range(4):
        connection.host_data(bytes(1000), net.now)
    frames = net.take()
    assert guest(net, 0) == guest(net, 0) == []
    (seen,) = guest(net, 0)
    assert seen.tcp == see(frames[0]).tcp
    (seen,) = guest(net, 0, ack=1001)
    assert seen.tcp == see(frames[1]).tcp
    assert guest(net, 0, ack=4001) == []
    assert connection.send.flight == 0


def test_pieces_that_come_early_wait() -> None:
    net = Net()
    connection = established(net)
    for at in (3, 6, 1):
        (seen,) = guest(net, at, data=b"abcdefghi"[at : at + 2])
        assert seen.tcp[1] == 101
    (seen,) = guest(net, 0, data=b"a")
    assert seen.tcp[1] == 101 + 5
    (seen,) = guest(net, 2, FIN | ACK, data=b"cdefghi")
    assert seen.tcp[1] == 101 + 10
    assert net.host.received[connection] == b"abcdefghi"
    assert net.host.finished == {connection}


def test_both_ends_close() -> None:
    net = Net()
    connection = established(net)
    connection.host_end(net.now)
    (frame,) = net.take()
    assert see(frame).tcp[:3] == (ISS + 1, 101, FIN | ACK)
    (seen,) = guest(net, 0, FIN | ACK, ack=2)
    assert seen.tcp[:3] == (ISS + 2, 102, ACK)
    assert connection.phase is Phase.TIME_WAIT
    (seen,) = guest(net, 0, FIN | ACK, ack=2)
    assert seen.tcp[:3] == (ISS + 2, 102, ACK)
    syn(net, sequence=5000)
    assert len(net.host.asked) == 2
    assert connection.phase is Phase.CLOSED


def test_too_many_are_refused_until_one_is_idle() -> None:
    net = Net(limits=Limits(connections=3))
    for port in range(4000, 4005):
        net.now += SECOND
        syn(net, port)
    assert (len(net.host.asked), net.statistics.refused) == (3, 2)
    assert [see(frame).tcp[2] for frame in net.take()] == [RST | ACK] * 2
    net.now += 60 * SECOND
    syn(net, 4005)
    assert len(net.host.asked) == 4
    assert net.host.asked[0][0].phase is Phase.CLOSED
    assert len(net.nat.tcp) == 3


def test_an_idle_guest_is_asked_whether_it_lives() -> None:
    net = Net()
    connection = established(net)
    net.pass_time(7201 * SECOND)
    (frame,) = net.take()
    assert see(frame).tcp[:3] == (ISS, 101, ACK)
    guest(net, 0)
    net.pass_time(7000 * SECOND)
    assert net.take() == []
    for _ in range(RETRIES_MAX + 2):
        net.pass_time(7201 * SECOND)
    assert connection.phase is Phase.CLOSED


def test_a_published_port_opens_towards_the_guest() -> None:
    net = Net()
    connection = net.nat.tcp.open((GATEWAY4, 50000), (GUEST4, 22), net.now)
    other = net.nat.tcp.open((GATEWAY4, 50000), (GUEST4, 22), net.now)
    assert connection is not None
    assert other is not None
    ask, lost, ask2, lost2 = (see(frame) for frame in net.take())
    assert (ask.kind, ask2.kind) == (0x0806, 0x0806)
    assert lost.destination_mac == b"\xff" * 6
    assert lost.ports == (50000, 22)
    assert lost2.ports != (50000, 22)
    net.send(tcp((GUEST4, 1), WORLD, 1, 1, RST))  # shows its MAC address
    net.pass_time(2 * SECOND)
    again = see(net.take()[0])
    assert (again.destination_mac, again.tcp[:3]) == (bytes.fromhex("525400123456"), (ISS, 0, SYN))
    net.send(tcp((GUEST4, 22), (GATEWAY4, 50000), 700, ISS + 1, SYN | ACK, options=OPTIONS))
    assert connection.phase is Phase.OPEN
    assert see(net.take()[-1]).tcp[:3] == (ISS + 1, 701, ACK)
    net.send(tcp((GUEST4, 22), (GATEWAY4, lost2.ports[0]), 0, ISS + 1, RST | ACK))
    assert (other.phase, other.aborted) == (Phase.CLOSED, True)
