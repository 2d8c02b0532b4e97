"""What a machine has done so far, in numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Statistics:
    """Counts since power-on; times in seconds.

    `time` splits `elapsed`: guest code, devices, hypercalls, idle, and the rest. `exits` counts the
    returns from guest code by reason, `devices` accesses by device, `hypercalls` SBI calls by
    extension, `engine` what the engine itself counts, such as TLB misses and decoded instructions.
    """

    engine_name: str
    instructions: int
    elapsed: float
    time: Mapping[str, float] = field(default_factory=dict)
    exits: Mapping[str, int] = field(default_factory=dict)
    devices: Mapping[str, int] = field(default_factory=dict)
    hypercalls: Mapping[str, int] = field(default_factory=dict)
    engine: Mapping[str, int] = field(default_factory=dict)

    @property
    def instructions_per_second(self) -> float:
        """Guest instructions per second of guest code."""
        guest = self.time.get("guest", 0.0)
        return self.instructions / guest if guest else 0.0

    def rows(self) -> list[tuple[str, str, str]]:
        """Group, name and value of each number, as a table for people."""
        rows = [
            ("run", "engine", self.engine_name),
            ("run", "retired instructions", f"{self.instructions:,}"),
            ("run", "guest instructions/s", f"{self.instructions_per_second:,.0f}"),
            ("run", "elapsed", f"{self.elapsed:.3f} s"),
        ]
        for part, seconds in self.time.items():
            share = seconds / self.elapsed if self.elapsed else 0.0
            rows.append(("time", part, f"{seconds:.3f} s ({share:.0%})"))
        groups = {
            "exits": self.exits,
            "devices": self.devices,
            "hypercalls": self.hypercalls,
            "engine": self.engine,
        }
        for group, counts in groups.items():
            rows += [(group, name.replace("_", " "), f"{n:,}") for name, n in counts.items()]
        return rows
