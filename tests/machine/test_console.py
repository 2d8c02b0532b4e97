"""A console between a stream and the host, with and without someone listening."""

from hospes.base.clock import ManualClock
from hospes.devices.stream import CharacterStream
from hospes.machine.console import HISTORY_BYTES, INPUT_BYTES, Console


class Listener:
    """A sink with a limit."""

    def __init__(self, limit: int = 1 << 30) -> None:
        self.limit = limit
        self.data = bytearray()
        self.takes = 0

    def write(self, data: bytes) -> int:
        taken = min(len(data), self.limit - len(self.data))
        self.data += data[:taken]
        return taken

    def input_taken(self) -> None:
        self.takes += 1


def woken_console() -> tuple[Console, list[int]]:
    wakes: list[int] = []
    return Console("ttyS0", lambda: wakes.append(1)), wakes


def test_output_goes_to_the_sink_and_is_remembered() -> None:
    console, _ = woken_console()
    assert console.write(b"early ") == 6
    sink = Listener()
    console.attach(sink, replay=True)
    assert console.write(b"late") == 4
    assert sink.data == b"early late"
    console.detach(sink)
    console.write(b" after")
    assert sink.data == b"early late"
    assert console.history == b"early late after"


def test_history_is_bounded() -> None:
    console, _ = woken_console()
    for _ in range(64):
        console.write(b"x" * 65536)
    assert HISTORY_BYTES <= len(console.history) <= 2 * HISTORY_BYTES
    assert console.bytes_out == 64 * 65536


def test_a_full_sink_blocks_until_there_is_room_again() -> None:
    console, wakes = woken_console()
    sink = Listener(4)
    console.attach(sink)
    assert console.write(b"abcdef") == 4
    assert console.blocked
    sink.limit = 100
    console.room_again()
    assert not console.blocked
    assert len(wakes) == 1
    assert console.write(b"ef") == 2
    assert sink.data == b"abcdef"


def test_losing_the_sink_unblocks() -> None:
    console, wakes = woken_console()
    sink = Listener(0)
    console.attach(sink)
    console.write(b"x")
    console.detach(sink)
    assert not console.blocked
    assert wakes


def test_input_is_bounded_and_delivered_without_loss() -> None:
    console, wakes = woken_console()
    sink = Listener()
    console.attach(sink)
    pasted = bytes(range(256)) * (INPUT_BYTES // 256)
    assert console.feed(pasted + b"more") == INPUT_BYTES
    assert wakes
    stream = CharacterStream(console, ManualClock())
    console.deliver(stream)
    assert not console.input_waiting
    assert stream.take(1 << 30) == pasted
    assert sink.takes == 1


def test_the_opening_is_kept_however_much_follows() -> None:
    console, _ = woken_console()
    for piece in (b"hello ", b"world\n", b"x" * 2 * HISTORY_BYTES):
        console.write(piece)
    assert console.opening == (b"hello world\n" + b"x" * 64)[:64]
