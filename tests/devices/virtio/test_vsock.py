"""The socket device: what a driver gets for what it sends, and what it may not do."""

import pytest
from tests.devices.virtio.conftest import Driver
from tests.devices.virtio.vsock_peer import (
    CREDIT_REQUEST,
    CREDIT_UPDATE,
    EOM,
    GUEST,
    HEADER,
    HOST,
    NO_RECEIVE,
    NO_SEND,
    REQUEST,
    RESPONSE,
    RST,
    RW,
    SEQPACKET,
    SHUTDOWN,
    STREAM,
    Host,
    packet,
)

from hospes.base import wire as encoding
from hospes.base.errors import GuestError
from hospes.devices.virtio.function import NEEDS_RESET
from hospes.devices.virtio.mmio import VirtioMmio
from hospes.devices.virtio.vsock import (
    EVENT,
    F_SEQPACKET,
    F_STREAM,
    RECEIVE,
    STEP_PACKETS,
    TRANSMIT,
    VirtioVsock,
)
from hospes.devices.virtio.vsock_connection import MESSAGE_MAX
from hospes.devices.virtio.vsock_packet import Packet
from hospes.devices.virtio.vsock_table import (
    ALLOWANCE_MAX,
    ALLOWANCE_MIN,
    CONNECTIONS_MAX,
    POOL_BYTES,
    REPLIES_MAX,
    Connections,
)

ALL = 1 << 32 | F_STREAM | F_SEQPACKET
BUFFER_BYTES = 1000
WRITE = 2
BOTH = NO_RECEIVE | NO_SEND
Said = tuple[int, int, bytes]


class SocketDriver(Driver):
    """A driver of the three queues, whose buffers are each in a place of its own."""

    def base(self, queue: int) -> int:
        return self.ram.base + 0x40000 + queue * 0x8000

    def post(self, queue: int, count: int = 1, size: int = BUFFER_BYTES) -> None:
        for _ in range(count):
            head = self.posted[queue] % self.size
            self.describe(queue, head, self.base(queue) + 0x3800 + 0x400 * head, size, WRITE)
            self.offer(queue, head)

    def received(self, again: bool = True) -> list[bytes]:
        """Packets from the device; their buffers are posted again."""
        got = [
            self.ram.read(self.base(RECEIVE) + 0x3800 + 0x400 * head, length)
            for head, length in self.used(RECEIVE)
        ]
        if again:
            self.post(RECEIVE, len(got))
        return got

    def said(self) -> list[Said]:
        """Operation, flags and payload of each."""
        found = []
        while got := self.received():
            found += [(*HEADER.unpack_from(one)[6:8], one[HEADER.size :]) for one in got]
        return [(operation, flags, data) for operation, flags, data in found]

    def say(self, operation: int, **fields) -> None:
        self.send(packet(operation, **fields), self.posted[TRANSMIT] % self.size, TRANSMIT)
        self.used(TRANSMIT)


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def device(ram, host) -> VirtioVsock:
    return VirtioVsock(ram, host, GUEST)


@pytest.fixture
def slot(wire, device) -> VirtioMmio:
    return VirtioMmio(wire, device)


@pytest.fixture
def driver(slot, ram) -> SocketDriver:
    driver = SocketDriver(slot, ram)
    begin(driver)
    return driver


def begin(driver: SocketDriver, features: int = ALL) -> None:
    driver.ram.write(driver.base(0), bytes(3 * 0x8000))
    driver.start(features, queues=3)
    driver.post(RECEIVE, 8)


@pytest.fixture
def end(driver, host):
    """The host's, of a connection that the guest has made."""
    driver.say(REQUEST)
    assert driver.said() == [(RESPONSE, 0, b"")]
    return host.ends[-1]


def test_the_configuration_is_the_guests_address(driver) -> None:
    assert driver.reg(0x100) == GUEST
    assert driver.reg(0x104) == 0
    for reserved in (0, 1, 2, 0xFFFF_FFFF):
        with pytest.raises(ValueError, match="address"):
            VirtioVsock(driver.ram, Host(), reserved)


def test_a_guest_calls_and_both_send(driver, slot, end) -> None:
    driver.say(RW, data=b"hello")
    assert end.got == [b"hello"]
    end.sends.append(b"good day")
    driver.say(CREDIT_UPDATE)
    assert driver.said() == [(RW, 0, b"good day")]


def test_every_packet_tells_addresses_and_room(driver, end) -> None:
    driver.say(RW, data=bytes(700))
    driver.say(CREDIT_REQUEST)
    [answer] = driver.received()
    assert HEADER.unpack(answer) == (
        HOST, GUEST, 9000, 5000, 0, STREAM, CREDIT_UPDATE, 0, ALLOWANCE_MAX, 700
    )  # fmt: skip


def test_what_the_host_sends_comes_in_buffers_as_they_are(driver, slot, host, end) -> None:
    end.sends.append(bytes(range(250)) * 20)
    host.news.append(end)
    slot.tick()
    said = driver.said()
    assert b"".join(data for _, _, data in said) == bytes(range(250)) * 20
    assert {len(data) for _, _, data in said[:-1]} == {BUFFER_BYTES - HEADER.size}


def test_a_guest_that_is_called_lets_the_host_in(driver, slot, host) -> None:
    end = host.call(22)
    slot.tick()
    [call] = driver.received()
    host_port = HEADER.unpack(call)[2]
    assert HEADER.unpack(call)[3:8] == (22, 0, STREAM, REQUEST, 0)
    driver.say(RESPONSE, ports=(22, host_port))
    assert end.port == host_port
    assert not end.closed


def test_a_guest_that_is_called_refuses(driver, slot, host) -> None:
    end = host.call(22)
    slot.tick()
    [call] = driver.received()
    driver.say(RST, ports=(22, HEADER.unpack(call)[2]))
    assert end.closed
    assert end.port is None
    assert driver.said() == []


def test_a_guest_without_a_driver_takes_no_calls(slot, host) -> None:
    end = host.call(22)
    slot.tick()
    assert end.closed


def test_a_call_to_nobody_is_refused(driver, host) -> None:
    driver.say(REQUEST, ports=(5000, 1))
    assert driver.said() == [(RST, 0, b"")]
    assert host.ends == []


@pytest.mark.parametrize(
    "fields",
    [
        {"operation": RW, "data": b"x"},
        {"operation": RESPONSE},
        {"operation": SHUTDOWN, "flags": 3},
        {"operation": 0},
        {"operation": 99},
        {"operation": REQUEST, "kind": 3},
        {"operation": REQUEST, "kind": 0},
        {"operation": REQUEST, "cids": (GUEST, 5)},
        {"operation": REQUEST, "cids": (GUEST, 1)},
    ],
    ids=str,
)
def test_what_belongs_to_nothing_is_reset(driver, host, fields) -> None:
    driver.say(**fields)
    [reply] = driver.received()
    kind, to = fields.get("kind", STREAM), fields.get("cids", (GUEST, HOST))[1]
    assert HEADER.unpack(reply) == (to, GUEST, 9000, 5000, 0, kind, RST, 0, 0, 0)
    assert host.ends == []


@pytest.mark.parametrize(
    "fields",
    [
        {"operation": RW, "data": b"abc", "length": 4},
        {"operation": REQUEST},
        {"operation": RESPONSE},
        {"operation": 0},
        {"operation": 8},
    ],
    ids=str,
)
def test_what_must_not_be_said_now_ends_the_connection(driver, device, end, fields) -> None:
    driver.say(**fields)
    assert driver.said() == [(RST, 0, b"")]
    assert end.closed
    assert len(device._connections) == 0


def test_a_reset_is_not_answered(driver, device, end) -> None:
    driver.say(RST)
    driver.say(RST)
    assert driver.said() == []
    assert end.closed


def test_another_guests_packets_are_dropped(driver, device, host) -> None:
    driver.say(REQUEST, cids=(GUEST + 1, HOST))
    driver.send(b"short", driver.posted[TRANSMIT] % driver.size, TRANSMIT)
    assert driver.said() == []
    assert device.dropped == 2
    assert host.ends == []


def test_a_guest_that_sends_more_than_it_may_is_reset(driver, end) -> None:
    end.room = 0
    for _ in range(ALLOWANCE_MAX // 4000):
        driver.say(RW, data=bytes(4000))
    assert driver.said() == []
    driver.say(RW, data=bytes(4000))
    assert driver.said() == [(RST, 0, b"")]
    assert end.closed


def test_a_guest_is_told_of_room_when_half_of_it_is_free_again(driver, slot, host, end) -> None:
    end.room = ALLOWANCE_MAX // 2 - 1
    for _ in range(40):
        driver.say(RW, data=bytes(4000))
    assert driver.said() == []
    end.room = 1 << 30
    host.news.append(end)
    slot.tick()
    [update] = driver.received()
    assert HEADER.unpack(update)[6:] == (CREDIT_UPDATE, 0, ALLOWANCE_MAX, 160_000)


def test_without_credit_the_guest_is_asked_for_it_once(driver, slot, host, end) -> None:
    driver.say(CREDIT_UPDATE, credit=(10, 0))
    end.sends.append(b"0123456789abc")
    for _ in range(3):
        host.news.append(end)
        slot.tick()
    assert driver.said() == [(RW, 0, b"0123456789"), (CREDIT_REQUEST, 0, b"")]
    driver.say(CREDIT_UPDATE, credit=(10, 10))
    assert driver.said() == [(RW, 0, b"abc")]


@pytest.mark.parametrize("count", [11, 5000, 0x8000_0000])
def test_a_count_that_cannot_be_gives_no_credit(driver, slot, host, end, count) -> None:
    driver.say(CREDIT_UPDATE, credit=(10, count))
    end.sends.append(b"data")
    host.news.append(end)
    slot.tick()
    assert [data for _, _, data in driver.said() if data] == []


def test_the_guest_ends_its_half(driver, slot, host, end) -> None:
    driver.say(RW, data=b"last")
    driver.say(SHUTDOWN, flags=NO_SEND)
    assert (end.got, end.got_end, end.closed) == ([b"last"], True, False)
    end.sends.append(b"answer")
    end.closes = True
    host.news.append(end)
    slot.tick()
    assert driver.said() == [(RW, 0, b"answer"), (SHUTDOWN, NO_SEND, b"")]
    driver.say(SHUTDOWN, flags=BOTH)
    assert driver.said() == [(RST, 0, b"")]
    assert end.closed


def test_the_end_comes_after_what_the_host_has_not_taken_yet(driver, slot, host, end) -> None:
    end.room = 2
    driver.say(RW, data=b"abcdef")
    driver.say(SHUTDOWN, flags=BOTH)
    assert driver.said() == [(RST, 0, b"")]
    driver.say(RW, data=b"too late")
    assert driver.said() == [(RST, 0, b"")]
    assert not end.closed
    end.room = 100
    host.news.append(end)
    slot.tick()
    assert (b"".join(end.got), end.got_end, end.closed) == (b"abcdef", True, True)


def test_a_guest_that_reads_no_more(driver, slot, host, end) -> None:
    driver.say(SHUTDOWN, flags=NO_RECEIVE)
    assert end.told_no_more
    end.sends.append(b"for nobody")
    host.news.append(end)
    slot.tick()
    driver.say(RW, data=b"but heard")
    assert driver.said() == []
    assert end.got == [b"but heard"]


def test_a_guest_that_sends_after_its_end_is_reset(driver, end) -> None:
    driver.say(SHUTDOWN, flags=NO_SEND)
    driver.say(RW, data=b"more")
    assert driver.said() == [(RST, 0, b"")]


def test_the_host_hangs_up(driver, slot, host, end) -> None:
    end.closes = end.gone = True
    host.news.append(end)
    slot.tick()
    assert driver.said() == [(SHUTDOWN, BOTH, b"")]
    driver.say(RW, data=b"under way")
    assert driver.said() == []
    driver.say(RST)
    assert end.closed


def test_a_host_that_takes_no_more_is_told_of_when_the_guest_sends(driver, end) -> None:
    end.gone = True
    driver.say(RW, data=b"for nobody")
    assert driver.said() == [(SHUTDOWN, NO_RECEIVE, b"")]
    driver.say(RW, data=b"again")
    assert driver.said() == []


def test_messages_are_whole(driver, slot, host) -> None:
    driver.say(REQUEST, kind=SEQPACKET)
    end = host.ends[-1]
    driver.say(RW, kind=SEQPACKET, data=b"one ")
    assert end.got == []
    driver.say(RW, kind=SEQPACKET, data=b"message", flags=EOM)
    driver.say(RW, kind=SEQPACKET, data=b"", flags=EOM)
    driver.say(RW, kind=SEQPACKET, data=b"two", flags=EOM)
    assert end.got == [b"one message", b"two"]
    end.sends.extend((bytes(2 * (BUFFER_BYTES - HEADER.size)), b"short"))
    host.news.append(end)
    slot.tick()
    assert [(flags, len(data)) for _, flags, data in driver.said()] == [
        (0, 0), (0, 956), (EOM, 956), (EOM, 5)
    ]  # fmt: skip


def test_a_message_the_guest_has_no_room_for_ends_it(driver, slot, host) -> None:
    driver.say(REQUEST, kind=SEQPACKET, credit=(100, 0))
    host.ends[-1].sends.append(bytes(101))
    driver.said()
    host.news.append(host.ends[-1])
    slot.tick()
    assert driver.said() == [(SHUTDOWN, BOTH, b"")]
    assert MESSAGE_MAX > 100


def test_without_the_feature_there_are_only_streams(slot, ram, host) -> None:
    driver = SocketDriver(slot, ram)
    begin(driver, 1 << 32)
    driver.say(REQUEST, kind=SEQPACKET)
    driver.say(REQUEST)
    assert driver.said() == [(RST, 0, b""), (RESPONSE, 0, b"")]


def test_a_restored_guest_is_told_that_its_connections_are_gone(ram, wire, device, driver, end):
    other_host = Host()
    other = VirtioVsock(ram, other_host, GUEST)
    encoding.restore(other, encoding.encode(device))
    again = VirtioMmio(wire, other)
    again.tick()
    driver.slot = again
    assert driver.used(EVENT) == []
    driver.post(EVENT, 2)
    [(head, length)] = driver.used(EVENT)
    assert driver.ram.read(driver.base(EVENT) + 0x3800 + 0x400 * head, length) == bytes(4)
    again.tick()
    assert driver.used(EVENT) == []
    driver.say(RW, data=b"lost")
    assert driver.said() == [(RST, 0, b"")]
    driver.say(REQUEST)
    assert driver.said() == [(RESPONSE, 0, b"")]


def test_a_reset_hangs_up(driver, device, end) -> None:
    driver.reg(0x70, 0)
    assert end.closed
    assert len(device._connections) == 0
    begin(driver)
    driver.say(REQUEST)
    assert driver.said() == [(RESPONSE, 0, b"")]


def test_a_guest_that_takes_no_answers_is_not_listened_to(slot, ram, device) -> None:
    driver = SocketDriver(slot, ram, size=256)
    driver.start(ALL, queues=3)
    ram.write(driver.buffer(), packet(RW, data=b"x"))
    driver.describe(TRANSMIT, 0, driver.buffer(), HEADER.size + 1)
    for _ in range(REPLIES_MAX + 200):
        driver.offer(TRANSMIT, 0)
        driver.used(TRANSMIT)
        slot.tick()
    taken = driver.seen[TRANSMIT]
    assert taken == REPLIES_MAX
    assert slot.due_in_ns() is None
    for head in range(8):
        driver.describe(RECEIVE, head, driver.base(RECEIVE) + 0x3800, 500, WRITE)
        driver.offer(RECEIVE, head)
    assert len(driver.used(RECEIVE)) == 8
    slot.tick()
    driver.used(TRANSMIT)
    assert driver.seen[TRANSMIT] == taken + 8


def test_ten_thousand_connections_are_not_held(host) -> None:
    table, outcomes = Connections(host, GUEST), []
    for port in range(10_000):
        table.take(Packet.unpack(packet(REQUEST, ports=(port, 9000))), b"", (STREAM,))
        while data := table.next_packet(100):
            outcomes.append(HEADER.unpack(data)[6])
    held = outcomes.count(RESPONSE)
    assert 500 < held <= CONNECTIONS_MAX
    assert outcomes.count(RST) == 10_000 - held
    allowances = [one.allowance for one in table._open.values()]
    assert sum(allowances) <= POOL_BYTES
    assert min(allowances) >= ALLOWANCE_MIN
    for port in range(10_000):
        table.take(Packet.unpack(packet(RST, ports=(port, 9000))), b"", (STREAM,))
    assert table._pool == POOL_BYTES
    assert all(end.closed for end in host.ends)


def test_a_step_is_bounded(slot, ram, device, host) -> None:
    driver = SocketDriver(slot, ram, size=256)
    driver.start(ALL, queues=3)
    for head in range(256):
        driver.describe(RECEIVE, head, driver.base(RECEIVE) + 0x3800, HEADER.size + 1, WRITE)
        driver.offer(RECEIVE, head, notify=False)
    driver.say(REQUEST)
    host.ends[0].sends.append(bytes(3000))
    host.news.append(host.ends[0])
    slot.tick()
    assert len(driver.used(RECEIVE)) <= STEP_PACKETS


@pytest.mark.parametrize(("queue", "size"), [(RECEIVE, HEADER.size), (EVENT, 3)])
def test_buffers_that_are_too_small(driver, device, slot, host, queue, size) -> None:
    driver.said()
    device.reset_queue(queue)
    driver.lay_out(queue)
    driver.ram.write(driver.base(queue), bytes(0x8000))
    driver.post(queue, 1, size)
    device.forgetful = queue == EVENT
    host.call(5)
    with pytest.raises(GuestError, match=f"a buffer of {size} bytes"):
        slot.tick()
    assert device.status & NEEDS_RESET
