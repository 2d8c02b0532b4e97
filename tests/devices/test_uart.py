"""NS16550A as a driver meets it."""

import pytest

from hospes.base import wire as encoding
from hospes.devices.stream import BATCH_NS
from hospes.devices.uart import Uart

RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR = range(8)
THR, FCR = RBR, IIR
SMALL_BYTES = 256 << 10


@pytest.fixture
def uart(wire, stream) -> Uart:
    return Uart(wire, stream)


def read(uart: Uart, register: int) -> int:
    return uart.read(register, 1)


def write(uart: Uart, register: int, value: int) -> None:
    uart.write(register, 1, value)


def test_polled_output(uart: Uart, sink, clock) -> None:
    for char in b"hello\n":
        assert read(uart, LSR) & 0x60 == 0x60
        write(uart, THR, char)
    clock.advance(BATCH_NS)
    uart.tick()
    assert sink.data == b"hello\n"


def test_divisor_latch_and_plain_registers(uart: Uart) -> None:
    write(uart, LCR, 0x83)
    write(uart, 0, 0x34)
    write(uart, 1, 0x12)
    assert (read(uart, 0), read(uart, 1)) == (0x34, 0x12)
    write(uart, LCR, 0x03)
    assert read(uart, LCR) == 3
    assert (read(uart, 0), read(uart, IER)) == (0, 0)
    write(uart, SCR, 0xA5)
    assert read(uart, SCR) == 0xA5


def test_detection_as_a_16550a(uart: Uart) -> None:
    write(uart, IER, 0xFF)
    assert read(uart, IER) == 0x0F
    write(uart, IER, 0)
    write(uart, MCR, 0x1A)
    assert read(uart, MSR) & 0xF0 == 0x90
    write(uart, MCR, 0)
    assert read(uart, MSR) & 0xF0 == 0xB0
    assert read(uart, IIR) == 0x01
    write(uart, FCR, 1)
    assert read(uart, IIR) == 0xC1


def test_enabling_the_transmit_interrupt_raises_it_and_iir_acknowledges(uart: Uart, wire) -> None:
    for _ in range(2):
        write(uart, IER, 2)
        assert wire.level
        assert read(uart, IIR) == 2
        assert not wire.level
        assert read(uart, IIR) == 1
        write(uart, IER, 0)
    write(uart, IER, 2)
    read(uart, IIR)
    write(uart, THR, 65)
    assert wire.level


def test_receive_interrupt_with_fifo_and_time_out(uart: Uart, wire, stream) -> None:
    write(uart, FCR, 0x81)
    write(uart, IER, 1)
    stream.receive(b"abcdefghijklmnopqrstuvw")
    assert uart.due_in_ns() == 0
    uart.tick()
    assert wire.level
    assert read(uart, IIR) == 0xC4
    got = bytes(read(uart, RBR) for _ in range(9))
    assert read(uart, IIR) == 0xCC
    while read(uart, LSR) & 1:
        got += bytes([read(uart, RBR)])
    assert got == b"abcdefghijklmnopqrstuvw"
    assert not wire.level
    assert read(uart, RBR) == 0


def test_typed_ahead_input_survives_a_drivers_start_up(uart: Uart, stream) -> None:
    stream.receive(b"ls\n")
    uart.tick()
    for value in (1, 7, 0):
        write(uart, FCR, value)
    for _ in range(2):
        for register in (LSR, RBR, IIR, MSR):
            read(uart, register)
    write(uart, FCR, 1)
    write(uart, IER, 5)
    assert bytes(read(uart, RBR) for _ in range(3)) == b"ls\n"


def test_polled_input(uart: Uart, stream) -> None:
    stream.receive(b"xy")
    got = b""
    for _ in range(10):
        if read(uart, LSR) & 1:
            got += bytes([read(uart, RBR)])
    assert got == b"xy"


def test_a_64_kib_paste_arrives_whole(uart: Uart, stream) -> None:
    pasted = bytes(number * 7 % 256 for number in range(64 * 1024))
    assert stream.receive(pasted) == len(pasted)
    write(uart, FCR, 0xC1)
    write(uart, IER, 1)
    got = bytearray()
    while read(uart, LSR) & 1:
        got.append(read(uart, RBR))
    assert got == pasted


def test_a_flood_against_a_full_back_end_waits_and_loses_nothing(
    uart: Uart, sink, clock, wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hospes.devices.stream.OUTPUT_BYTES", SMALL_BYTES)
    sink.limit = 0
    write(uart, FCR, 1)
    write(uart, IER, 2)
    sent = bytearray()
    for turn in range(5 * SMALL_BYTES // 16):
        if read(uart, LSR) & 0x20 == 0:
            assert not wire.level
            sink.limit += 20_000
            clock.advance(BATCH_NS)
            uart.tick()
            assert wire.level
        for offset in range(16):
            sent.append((turn + offset) % 256)
            write(uart, THR, sent[-1])
    sink.limit = 1 << 40
    clock.advance(BATCH_NS)
    uart.tick()
    assert sink.data == sent


def test_loopback(uart: Uart, sink, clock) -> None:
    write(uart, FCR, 1)
    write(uart, MCR, 0x10)
    for char in range(20):
        write(uart, THR, char)
    assert read(uart, LSR) & 3 == 3
    assert read(uart, LSR) & 3 == 1
    assert [read(uart, RBR) for _ in range(16)] == list(range(16))
    clock.advance(BATCH_NS)
    uart.tick()
    assert sink.data == b""


def test_modem_status_interrupt(uart: Uart, wire) -> None:
    write(uart, IER, 8)
    write(uart, MCR, 0x10)
    assert wire.level
    assert read(uart, IIR) == 0
    assert read(uart, MSR) == 0x0B
    assert not wire.level


def test_state(uart: Uart, wire, stream) -> None:
    write(uart, FCR, 1)
    write(uart, IER, 3)
    stream.receive(b"abc")
    uart.tick()
    other = Uart(wire, stream)
    encoding.restore(other, encoding.encode(uart))
    assert bytes(read(other, RBR) for _ in range(3)) == b"abc"
