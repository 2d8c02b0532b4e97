"""HTIF: the two words through which bare-metal test programs print and end."""

from collections.abc import Callable
from typing import Final, Protocol

from hospes.base.errors import GuestError

EXIT_AND_SYSCALL, CONSOLE = 0, 1
PUT_CHARACTER: Final = 1
SYSCALL_WRITE: Final = 64
WRITE_MAX_BYTES: Final = 1 << 20


class Words(Protocol):
    """Guest memory, as far as HTIF reaches it."""

    def load(self, gpa: int, size_bytes: int) -> int: ...
    def store(self, gpa: int, size_bytes: int, value: int) -> None: ...
    def read(self, gpa: int, size_bytes: int) -> bytes: ...


class Htif:
    """Looks at `tohost` when polled: device in bits 56 to 63, command in 48 to 55, payload below.

    An odd payload for device 0 ends the program with the rest as its exit code, an even one is the
    address of a system call's number and arguments, of which `write` is answered. `fromhost` may
    be absent.
    """

    def __init__(
        self,
        memory: Words,
        tohost: int,
        fromhost: int | None,
        write: Callable[[bytes], object],
        end: Callable[[int], None],
    ) -> None:
        self._memory, self._tohost, self._fromhost = memory, tohost, fromhost
        self._write, self._end = write, end

    def poll(self) -> None:
        """Answer what the program has asked since the last time."""
        request = self._memory.load(self._tohost, 8)
        if not request:
            return
        device, command, payload = request >> 56, request >> 48 & 0xFF, request & (1 << 48) - 1
        reply = 1
        if device == EXIT_AND_SYSCALL and payload & 1:
            self._end(payload >> 1)
            return
        if device == EXIT_AND_SYSCALL:
            self._system_call(payload)
        elif device == CONSOLE and command == PUT_CHARACTER:
            self._write(bytes([payload & 0xFF]))
            reply = request & ~0xFF
        self._memory.store(self._tohost, 8, 0)
        if self._fromhost is not None:
            self._memory.store(self._fromhost, 8, reply)

    def _system_call(self, gpa: int) -> None:
        """`write(fd, address, count)`; others fail with ENOSYS."""
        number, _, address, count = (self._memory.load(gpa + 8 * n, 8) for n in range(4))
        if number != SYSCALL_WRITE:
            self._memory.store(gpa, 8, -38)
            return
        if count > WRITE_MAX_BYTES:
            raise GuestError(f"HTIF asks to write {count} bytes at once")
        self._write(self._memory.read(address, count))
        self._memory.store(gpa, 8, count)
