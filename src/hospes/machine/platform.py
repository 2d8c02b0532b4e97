"""The machine as our own SBI sees it."""

from collections.abc import Sequence

from hospes.devices.power import PowerCallback, PowerEvent, PowerKind
from hospes.devices.stream import CharacterStream
from hospes.firmware.sbi.call import GuestMemory, HartState, ResetType
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.trap import poll_interrupts
from hospes.machine.vcpu import Vcpu


class SbiPlatform:
    """Implements hospes.firmware.sbi.call.Platform for harts that take turns on one thread."""

    def __init__(
        self,
        vcpus: Sequence[Vcpu],
        memory: GuestMemory,
        console: CharacterStream,
        on_power: PowerCallback,
    ) -> None:
        self._vcpus = vcpus
        self.memory = memory
        self._console = console
        self._on_power = on_power

    @property
    def harts(self) -> list[Hart]:
        """The harts, by hartid."""
        return [vcpu.hart for vcpu in self._vcpus]

    def hart_state(self, hartid: int) -> HartState:
        """The HSM state of a hart."""
        return self._vcpus[hartid].state

    def set_hart_state(self, hartid: int, state: HartState) -> None:
        """Takes effect when the hart's turn comes, or ends its present one."""
        self._vcpus[hartid].state = state

    def console_write(self, data: bytes) -> int:
        """Output in order with the UART's, which shares the stream."""
        if self._console.room < len(data):
            self._console.flush()
        return self._console.put(data)

    def console_read(self, limit: int) -> bytes:
        """Input typed so far."""
        return self._console.take(limit)

    def wake(self, hartid: int) -> None:
        """End the caller's slice: it is likely to wait for the other hart, whose turn comes."""
        poll_interrupts(self._vcpus[hartid].hart)
        if len(self._vcpus) > 1:
            for vcpu in self._vcpus:
                vcpu.attention = True

    def reset(self, kind: ResetType, reason: int) -> None:
        """A shutdown because of a system failure (reason 1) ends with exit code 1."""
        if kind == ResetType.SHUTDOWN:
            self._on_power(PowerEvent(PowerKind.OFF, reason))
        else:
            self._on_power(PowerEvent(PowerKind.RESET))
