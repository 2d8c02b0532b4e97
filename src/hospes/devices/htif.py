"""HTIF: the host-target interface of bare-metal RISC-V tests, two words named tohost and fromhost.

As riscv-isa-sim's front-end server and QEMU have it: device 0 ends the program (an odd payload) or
asks for a system call (an even one points to its arguments), device 1 is a character console. The
words lie in ordinary memory, so `tick` looks at them.
"""

import struct
from typing import Final

from hospes.devices.backends import DeviceMemory
from hospes.devices.device import Device
from hospes.devices.power import PowerCallback, PowerEvent, PowerKind
from hospes.devices.stream import CharacterStream

SYSTEM, CONSOLE = 0, 1
GET_CHARACTER, PUT_CHARACTER = 0, 1
SYS_WRITE, SYS_EXIT = 64, 93
_ENOSYS: Final = -38
_PAYLOAD: Final = (1 << 48) - 1
_ARRIVED: Final = 0x100
WRITE_BYTES_MAX: Final = 64 * 1024


class Htif(Device):
    """Not on the bus: it finds requests in memory and answers there, if there is a fromhost."""

    compatible, size = "ucb,htif0", 0
    reading: bool = False     # the program waits for a character

    def __init__(
        self,
        memory: DeviceMemory,
        tohost_gpa: int,
        fromhost_gpa: int | None,
        stream: CharacterStream,
        on_power: PowerCallback,
    ) -> None:
        super().__init__()
        self._memory = memory
        self.tohost_gpa = tohost_gpa
        self.fromhost_gpa = fromhost_gpa
        self._stream = stream
        self._on_power = on_power

    def tick(self) -> None:
        """Serve the request in tohost, if any."""
        if self.reading and self._stream.input_waiting:
            self.reading = False
            self._answer(CONSOLE, GET_CHARACTER, _ARRIVED | self._stream.take(1)[0])
        request = self._load(self.tohost_gpa)
        if not request:
            return
        device, command, payload = request >> 56, request >> 48 & 0xFF, request & _PAYLOAD
        if device == CONSOLE and command == PUT_CHARACTER and not self._stream.room:
            return
        self._store(self.tohost_gpa, 0)
        if device == CONSOLE:
            self._console(command, payload)
        elif device == SYSTEM and payload & 1:
            self._on_power(PowerEvent(PowerKind.OFF, payload >> 1))
        elif device == SYSTEM:
            self._system_call(payload)

    def _console(self, command: int, payload: int) -> None:
        if command == PUT_CHARACTER:
            self._stream.put(bytes([payload & 0xFF]))
            self._answer(CONSOLE, PUT_CHARACTER, _ARRIVED | payload & 0xFF)
        elif command == GET_CHARACTER:
            self.reading = True

    def _system_call(self, arguments_gpa: int) -> None:
        """The number and three arguments in memory; the result replaces the number."""
        number, *arguments = struct.unpack("<4Q", self._memory.read(arguments_gpa, 32))
        if number == SYS_EXIT:
            self._on_power(PowerEvent(PowerKind.OFF, arguments[0] & 0xFF))
            return
        result = _ENOSYS
        if number == SYS_WRITE:
            size = min(arguments[2], self._stream.room, WRITE_BYTES_MAX)
            result = self._stream.put(self._memory.read(arguments[1], size))
        self._memory.write(arguments_gpa, struct.pack("<q", result))
        self._reply(1)

    def _answer(self, device: int, command: int, payload: int) -> None:
        self._reply(device << 56 | command << 48 | payload)

    def _reply(self, value: int) -> None:
        if self.fromhost_gpa is not None:
            self._store(self.fromhost_gpa, value)

    def _load(self, gpa: int) -> int:
        return int.from_bytes(self._memory.read(gpa, 8), "little")

    def _store(self, gpa: int, value: int) -> None:
        self._memory.write(gpa, value.to_bytes(8, "little"))
