"""NS16550A UART with FIFOs (PC16550D data sheet), complete enough for Linux's 8250 driver."""

from types import MappingProxyType
from typing import Final

from hospes.devices.device import Device, Reg
from hospes.devices.irq.line import Irq
from hospes.devices.stream import CharacterStream

FIFO_BYTES: Final = 16
CLOCK_HZ: Final = 3_686_400

IER_RECEIVE, IER_TRANSMIT, IER_LINE, IER_MODEM = 0x01, 0x02, 0x04, 0x08
IIR_NONE, IIR_MODEM, IIR_TRANSMIT, IIR_RECEIVE = 0x01, 0x00, 0x02, 0x04
IIR_LINE, IIR_TIMEOUT, IIR_FIFO_ON = 0x06, 0x0C, 0xC0
FCR_ENABLE, FCR_CLEAR_RECEIVE, FCR_CLEAR_TRANSMIT = 0x01, 0x02, 0x04
LCR_DIVISOR: Final = 0x80
LSR_READY, LSR_OVERRUN, LSR_HOLDING_EMPTY, LSR_IDLE = 0x01, 0x02, 0x20, 0x40
MCR_DTR, MCR_RTS, MCR_OUT1, MCR_OUT2, MCR_LOOP = 0x01, 0x02, 0x04, 0x08, 0x10
MSR_CTS, MSR_DSR, MSR_RING, MSR_CARRIER = 0x10, 0x20, 0x40, 0x80

TRIGGER_BYTES: Final = (1, 4, 8, 14)


class Uart(Device):
    """Serial port; sending takes no time, so the transmitter is busy only while output is held."""

    compatible, size, node = "ns16550a", 0x100, "serial"
    properties = MappingProxyType({"clock-frequency": CLOCK_HZ})
    data, interrupt_enable, interrupt_identity = Reg(0, 1), Reg(1, 1), Reg(2, 1)
    line_control, modem_control = Reg(3, 1), Reg(4, 1)
    line_status, modem_status, scratch = Reg(5, 1), Reg(6, 1), Reg(7, 1)

    received: bytes = b""
    divisor: int = 12
    ier: int = 0
    fcr: int = 0
    lcr: int = 0
    mcr: int = MCR_OUT2
    msr: int = MSR_CARRIER | MSR_DSR | MSR_CTS
    overrun: bool = False
    transmit_pending: bool = False   # a "holding register empty" interrupt not yet seen
    held_back: bool = False          # no room for a FIFO full of output
    idle_polls: int = 0
    raised: bool = False             # the interrupt line's level

    def __init__(self, irq: Irq, stream: CharacterStream) -> None:
        super().__init__()
        self.irq = irq
        self.stream = stream

    def read_data(self) -> int:
        """Receiver buffer, or the divisor's low byte."""
        if self.lcr & LCR_DIVISOR:
            return self.divisor & 0xFF
        self.idle_polls = 0
        if not self.received:
            return 0
        value, self.received = self.received[0], self.received[1:]
        if not self.received:
            self._refill()
        self._update()
        return value

    def write_data(self, value: int) -> None:
        """Transmitter holding register, or the divisor's low byte."""
        if self.lcr & LCR_DIVISOR:
            self.divisor = self.divisor & 0xFF00 | value
            return
        self.idle_polls = 0
        if self.mcr & MCR_LOOP:
            self._loop_back(value)
        else:
            self.held_back = self.stream.put_byte(value) < FIFO_BYTES
        self.transmit_pending = not self.held_back
        self._update()

    def read_interrupt_enable(self) -> int:
        """IER, or the divisor's high byte."""
        return self.divisor >> 8 if self.lcr & LCR_DIVISOR else self.ier

    def write_interrupt_enable(self, value: int) -> None:
        """IER: enabling the transmit interrupt while the transmitter is empty raises it at once."""
        if self.lcr & LCR_DIVISOR:
            self.divisor = self.divisor & 0xFF | value << 8
            return
        changed, self.ier = self.ier ^ value, value & 0x0F
        if changed & IER_TRANSMIT:
            self.transmit_pending = bool(value & IER_TRANSMIT) and not self.held_back
        self._refill()
        self._update()

    def read_interrupt_identity(self) -> int:
        """IIR; reading "transmitter empty" acknowledges it."""
        identity = self._identity()
        if identity == IIR_TRANSMIT:
            self.transmit_pending = False
            self._update()
        return identity | (IIR_FIFO_ON if self.fcr & FCR_ENABLE else 0)

    def write_interrupt_identity(self, value: int) -> None:
        """FCR shares IIR's offset."""
        switched = (value ^ self.fcr) & FCR_ENABLE
        self.fcr = value & 0xC9 if value & FCR_ENABLE else 0
        if switched or value & FCR_CLEAR_RECEIVE:
            self.received, self.overrun = b"", False
        if value & FCR_CLEAR_TRANSMIT and not self.held_back:
            self.transmit_pending = True
        self._refill()
        self._update()

    def read_line_control(self) -> int:
        """LCR."""
        return self.lcr

    def write_line_control(self, value: int) -> None:
        """LCR; the line's format changes nothing here, the divisor latch bit does."""
        self.lcr = value

    def read_modem_control(self) -> int:
        """MCR."""
        return self.mcr

    def write_modem_control(self, value: int) -> None:
        """MCR; in loopback its outputs appear as MSR's inputs."""
        self.mcr = value & 0x1F
        inputs = _looped_inputs(self.mcr) if value & MCR_LOOP else MSR_CARRIER | MSR_DSR | MSR_CTS
        changed = (inputs ^ self.msr) & 0xF0
        falling_ring = changed & MSR_RING & self.msr
        self.msr = inputs | self.msr & 0x0F | (changed & ~MSR_RING | falling_ring) >> 4
        self._update()

    def read_line_status(self) -> int:
        """LSR; reading acknowledges an overrun."""
        self.idle_polls += 1
        self._refill()
        status = LSR_READY if self.received else 0
        if self.overrun:
            status |= LSR_OVERRUN
            self.overrun = False
            self._update()
        if self.held_back:
            self.tick()
        return status if self.held_back else status | LSR_HOLDING_EMPTY | LSR_IDLE

    def read_modem_status(self) -> int:
        """MSR; reading clears the "changed" bits."""
        value, self.msr = self.msr, self.msr & 0xF0
        self._update()
        return value

    def tick(self) -> None:
        """Move bytes between the stream and the FIFOs."""
        self.stream.tick()
        if self.held_back and self.stream.room >= FIFO_BYTES:
            self.held_back, self.transmit_pending = False, True
        self._refill()
        self._update()

    def due_in_ns(self) -> int | None:
        """When the stream has to be flushed; now, if there is input the guest waits for."""
        if self.stream.input_waiting and not self.received and self.ier & IER_RECEIVE:
            return 0
        return self.stream.due_in_ns()

    def _refill(self) -> None:
        """Take input while the guest listens: by interrupt, or by polling LSR twice in a row.

        A driver's start-up clears the FIFO and reads LSR and RBR once each with interrupts off;
        what the user has typed by then must not go into that.
        """
        if self.received or not self.stream.input_waiting or self.mcr & MCR_LOOP:
            return
        if self.ier & IER_RECEIVE or self.idle_polls >= 2:
            self.received = self.stream.take(FIFO_BYTES if self.fcr & FCR_ENABLE else 1)

    def _loop_back(self, value: int) -> None:
        if len(self.received) >= (FIFO_BYTES if self.fcr & FCR_ENABLE else 1):
            self.overrun = True
        else:
            self.received += value.to_bytes(1, "little")

    def _identity(self) -> int:
        """IIR's interrupt field: the pending source of highest priority (data sheet, table 5)."""
        ier = self.ier
        if ier & IER_LINE and self.overrun:
            return IIR_LINE
        if ier & IER_RECEIVE and self.received:
            full = len(self.received) >= TRIGGER_BYTES[self.fcr >> 6]
            return IIR_RECEIVE if full or not self.fcr & FCR_ENABLE else IIR_TIMEOUT
        if ier & IER_TRANSMIT and self.transmit_pending:
            return IIR_TRANSMIT
        if ier & IER_MODEM and self.msr & 0x0F:
            return IIR_MODEM
        return IIR_NONE

    def _update(self) -> None:
        """The interrupt is raised while any enabled source is pending."""
        ier = self.ier
        level = bool(
            (ier & IER_TRANSMIT and self.transmit_pending)
            or (ier & IER_RECEIVE and self.received)
            or (ier & IER_LINE and self.overrun)
            or (ier & IER_MODEM and self.msr & 0x0F)
        )
        if level != self.raised:
            self.raised = level
            self.irq.set(level)


def _looped_inputs(mcr: int) -> int:
    """MSR's input bits when the modem outputs are looped back to them."""
    wires = ((MCR_RTS, MSR_CTS), (MCR_DTR, MSR_DSR), (MCR_OUT1, MSR_RING), (MCR_OUT2, MSR_CARRIER))
    return sum(msr for output, msr in wires if mcr & output)
