"""Console streams: batching, back-pressure, no loss."""

import random

from hospes.devices.stream import BATCH_BYTES, BATCH_NS, INPUT_BYTES, OUTPUT_BYTES

SINGLY_BYTES = 100_000


def test_output_waits_for_a_batch_but_not_for_long(stream, sink, clock) -> None:
    stream.put(b"login: ")
    assert sink.data == b""
    assert stream.due_in_ns() == BATCH_NS
    clock.advance(BATCH_NS)
    assert stream.due_in_ns() == 0
    stream.tick()
    assert sink.data == b"login: "
    assert stream.due_in_ns() is None


def test_a_full_batch_goes_at_once(stream, sink) -> None:
    stream.put(b"x" * BATCH_BYTES)
    assert len(sink.data) == BATCH_BYTES


def test_full_back_end_holds_output_within_bounds(stream, sink, clock) -> None:
    sink.limit = 10
    sent = bytearray(random.Random(0).randbytes(OUTPUT_BYTES - SINGLY_BYTES))
    assert stream.put(bytes(sent)) == len(sent)
    for number in range(SINGLY_BYTES + 10):
        sent.append(number % 251)
        if number % 2:
            assert stream.put(sent[-1:]) == 1
        else:
            stream.put_byte(sent[-1])
    assert stream.put(b"x") == stream.put_byte(0x78) == 0
    assert stream.room == 0
    assert sink.calls < 100
    sink.limit = 1 << 40
    clock.advance(BATCH_NS)
    stream.tick()
    assert sink.data == sent
    assert stream.room == OUTPUT_BYTES


def test_input_is_capped_and_the_rest_stays_with_the_sender(stream) -> None:
    pasted = bytes(range(256)) * (INPUT_BYTES // 256 + 1)
    taken = stream.receive(pasted)
    assert taken == INPUT_BYTES
    assert stream.receive(b"more") == 0
    assert stream.take(300) == pasted[:300]
    assert stream.input_waiting == INPUT_BYTES - 300
