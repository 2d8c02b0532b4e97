"""A platform for the SBI that records what is asked of it."""

from typing import Any

from hospes.base.bits import U64_MAX, s64
from hospes.base.errors import GuestError
from hospes.firmware.sbi.call import HartState, ResetType
from hospes.firmware.sbi.sbi import Sbi
from hospes.isa.riscv.hart import Hart

RAM_BASE = 0x8000_0000
RAM_BYTES = 0x20_0000


class FakeMemory:
    """RAM in a bytearray."""

    def __init__(self) -> None:
        self.data = bytearray(RAM_BYTES)

    def contains(self, gpa: int, size_bytes: int) -> bool:
        return gpa >= RAM_BASE and gpa + size_bytes <= RAM_BASE + RAM_BYTES

    def read(self, gpa: int, size_bytes: int) -> bytes:
        if not self.contains(gpa, size_bytes):
            raise GuestError("outside RAM")
        return bytes(self.data[gpa - RAM_BASE : gpa - RAM_BASE + size_bytes])

    def write(self, gpa: int, data: bytes) -> None:
        if not self.contains(gpa, len(data)):
            raise GuestError("outside RAM")
        self.data[gpa - RAM_BASE : gpa - RAM_BASE + len(data)] = data


class FakePort:
    """Notes every flush; time stands at `now`."""

    def __init__(self) -> None:
        self.log: list[tuple[Any, ...]] = []
        self.now = 1000

    def time_now(self) -> int:
        return self.now

    def __getattr__(self, name: str) -> Any:
        if not name.startswith(("flush", "switch")):
            raise AttributeError(name)
        return lambda *arguments: self.log.append((name, *arguments))


class FakePlatform:
    """Implements hospes.firmware.sbi.call.Platform."""

    def __init__(self, harts: int = 1) -> None:
        self.harts = [Hart() for _ in range(harts)]
        self.ports = [FakePort() for _ in range(harts)]
        for hartid, hart in enumerate(self.harts):
            hart.hartid = hartid
            hart.port = self.ports[hartid]  # type: ignore[assignment]
            hart.menvcfg = 1 << 63
        self.hart_states = [HartState.STARTED] + [HartState.STOPPED] * (harts - 1)
        self.memory = FakeMemory()
        self.output = bytearray()
        self.input = bytearray()
        self.room = 1 << 20
        self.woken: list[int] = []
        self.resets: list[tuple[ResetType, int]] = []
        self.sbi = Sbi(self)

    def hart_state(self, hartid: int) -> HartState:
        return self.hart_states[hartid]

    def set_hart_state(self, hartid: int, state: HartState) -> None:
        self.hart_states[hartid] = state

    def console_write(self, data: bytes) -> int:
        taken = data[: self.room]
        self.output += taken
        return len(taken)

    def console_read(self, limit: int) -> bytes:
        data = bytes(self.input[:limit])
        del self.input[:limit]
        return data

    def wake(self, hartid: int) -> None:
        self.woken.append(hartid)

    def reset(self, kind: ResetType, reason: int) -> None:
        self.resets.append((kind, reason))

    def ecall(self, extension: int, function: int = 0, *arguments: int) -> tuple[int, int]:
        """Call from hart 0 as a guest does; returns a0 and a1, signed."""
        hart = self.harts[0]
        for index in range(6):
            hart.x[10 + index] = arguments[index] & U64_MAX if index < len(arguments) else 0
        hart.x[16], hart.x[17] = function, extension
        hart.pc = 0x8020_0000
        hart.exit_cause = 9
        self.sbi.call(hart)
        return s64(hart.x[10]), s64(hart.x[11])
