"""Two engines run one guest program in step; their first difference is found and told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from hospes.engine.engine import Engine, Exit
from hospes.engine.reference import ReferenceEngine
from hospes.isa.riscv.hart import SINK, Hart
from hospes.isa.riscv.profile import RV64
from hospes.memory.nested import PAGE_BYTES
from hospes.memory.space import Memory

STEP_INSTRUCTIONS: Final = 4096
"""Fewer than an engine runs without looking for interrupts on its own account."""
TRAPS_MAX: Final = 10_000
"""Traps in one step after which the follower is taken to trap for ever."""
TRAILING_MAX: Final = 64
"""Traps the leader may have taken behind the last instruction that retired."""
NOT_RETIRED: Final = {Exit.HYPERCALL, Exit.DEVICE, Exit.FRAME, Exit.BREAKPOINT}
"""Exits with the instruction at pc still to be executed."""
DERIVED: Final = {
    "next_pc", "fp_ok", "csr_value", "context", "walk_gpa", "walk_permissions", "walk_shift",
    "walk_leaf_shift", "timer_due", "poll", "kick", "resync", "pmp_low", "pmp_high", "pmp_match",
    "exit_reason", "exit_cause", "exit_tval", "exit_gva", "exit_gpa", "exit_instruction",
}  # fmt: skip
"""Words of a hart that are not its architectural state."""



def _architectural() -> list[slice]:
    """The runs of words of a hart that are its architectural state."""
    slices: list[slice] = []
    for name, length in Hart.lengths.items():
        start = Hart.offsets[name] // 8
        end = start + (SINK if name == "x" else length)
        if name in DERIVED:
            continue
        if slices and slices[-1].stop == start:
            slices[-1] = slice(slices[-1].start, end)
        else:
            slices.append(slice(start, end))
    return slices


ARCHITECTURAL: Final = _architectural()

Complete = Callable[[Hart], Exit | None]


@dataclass
class Side:
    """An engine with a hart and a memory of its own.

    `complete` executes an instruction that the engine leaves to others (Exit.DEVICE and
    Exit.REFERENCE): the `step` of a reference engine on this side's memory and devices. Without
    it, such an instruction ends the comparison.
    """

    name: str
    engine: Engine
    hart: Hart
    memory: Memory
    complete: Complete | None = None


@dataclass
class Difference:
    """What differs after the instructions from `pc` on, the first of them being `instret`."""

    pc: int
    instret: int
    instructions: int
    text: str
    lines: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        after = f"{self.instructions} instruction{'s' if self.instructions != 1 else ''}"
        place = f"after {after} from pc {self.pc:#x}, instret {self.instret}"
        return "\n".join([f"{place}{self.text}:", *(f"  {line}" for line in self.lines)])


class Lockstep:
    """Runs `leader` a step at a time, and `follower`, on the reference engine, exactly as far.

    Both start equal, memory included. Time must follow the instructions on both sides, and the
    steps be the leader's only occasions for timer interrupts. On a difference both sides go back
    to where they were equal and go on in the smallest steps the leader can make, unless devices
    were accessed meanwhile. `exit` is the last reason for which the leader stopped.
    """

    def __init__(self, leader: Side, follower: Side) -> None:
        if not isinstance(follower.engine, ReferenceEngine):
            raise TypeError("the follower must be on the reference engine, which stops exactly")
        self.leader, self.follower = leader, follower
        self.reference = follower.engine
        self.exit = Exit.BUDGET
        self._completed = False
        self._shadow = bytearray(leader.memory.view(leader.memory.base, leader.memory.size_bytes))
        leader.memory.dirty.take()
        follower.memory.dirty.take()

    def run(self, instructions: int, step: int = STEP_INSTRUCTIONS) -> Difference | None:
        """Run about so many instructions; None if there was no difference.

        A step in which none retires counts as one. The run ends early when the leader
        stops for a reason other than its budget and the instruction cannot be completed.
        """
        hart = self.leader.hart
        while instructions > 0:
            start, instret = self._words(), hart.instret
            self._completed = False
            difference = self._step(min(step, instructions))
            if difference is not None:
                return self._narrow(start, difference)
            if self.exit is not Exit.BUDGET:
                break
            instructions -= max(hart.instret - instret, 1)
        return None

    def _step(self, budget: int) -> Difference | None:
        """One step on both sides, and what differs then."""
        hart = self.leader.hart
        pc, instret = hart.pc, hart.instret
        self.exit = self._run_leader(budget)
        reason = self.reference.run_to(self.follower.hart, hart.instret, TRAPS_MAX)
        if self.exit in NOT_RETIRED and reason is Exit.BUDGET:
            reason = self.reference.step(self.follower.hart) or Exit.BUDGET
        pages = self._pages()
        lines = self._differences(pages)
        if lines and reason is Exit.BUDGET and self._trailing():
            lines = []
        if self.exit is not reason:
            lines.insert(0, f"exit: {self.exit.name}, {reason.name}")
        if lines:
            return Difference(pc, instret, hart.instret - instret, self._text(pc), lines)
        self._update_shadow(pages)
        return None

    def _run_leader(self, budget: int) -> Exit:
        """A run that ends behind an instruction left to others, for it is an occasion too."""
        side = self.leader
        reason = side.engine.run(side.hart, budget)
        if reason not in (Exit.DEVICE, Exit.REFERENCE) or side.complete is None:
            return reason
        self._completed |= reason is Exit.DEVICE
        return side.complete(side.hart) or Exit.BUDGET

    def _trailing(self) -> bool:
        """Whether the follower becomes equal by taking traps only, as the leader did already."""
        hart = self.follower.hart
        instret = hart.instret
        for _ in range(TRAILING_MAX):
            self.reference.step(hart)
            if hart.instret != instret:
                return False
            if not self._differences(self._pages()):
                return True
        return False

    def _differences(self, pages: list[int]) -> list[str]:
        """A line for each register, CSR and page of memory that differs."""
        a, b = self.leader.hart, self.follower.hart
        lines: list[str] = []
        if any(a.words[part] != b.words[part] for part in ARCHITECTURAL):
            lines = self._register_differences(a, b)
        for page in pages:
            lines.extend(self._page_difference(page))
        return lines

    def _register_differences(self, a: Hart, b: Hart) -> list[str]:
        lines = []
        for name, length in Hart.lengths.items():
            if name in DERIVED:
                continue
            start = Hart.offsets[name] // 8
            for number in range(length):
                mine, theirs = a.words[start + number], b.words[start + number]
                if mine != theirs and (name, number) != ("x", SINK):
                    label = name if length == 1 else f"{name}[{number}]"
                    lines.append(f"{label}: {self._pair(mine, theirs)}")
        return lines

    def _page_difference(self, page: int) -> list[str]:
        """The first byte that differs in a page, if one does."""
        mine, theirs = (side.memory.read(page, PAGE_BYTES) for side in (self.leader, self.follower))
        if mine == theirs:
            return []
        place = next(i for i in range(PAGE_BYTES) if mine[i] != theirs[i])
        return [f"memory at {page + place:#x}: {self._pair(mine[place], theirs[place])}"]

    def _pair(self, mine: int, theirs: int) -> str:
        return f"{self.leader.name} {mine:#x}, {self.follower.name} {theirs:#x}"

    def _text(self, pc: int) -> str:
        """The instruction at pc, where its address is a physical one."""
        memory = self.follower.memory
        if not memory.contains(pc, 4):
            return ""
        return f" ({RV64.disassemble(memory.load(pc, 4), pc)})"

    def _pages(self) -> list[int]:
        """Pages written since both sides were last equal."""
        return sorted({*self.leader.memory.dirty.peek(), *self.follower.memory.dirty.peek()})

    def _update_shadow(self, pages: list[int]) -> None:
        """Both sides are equal: remember what is in the pages written."""
        memory = self.follower.memory
        for page in pages:
            start = page - memory.base
            self._shadow[start : start + PAGE_BYTES] = memory.view(page, PAGE_BYTES)
        if pages:
            self.leader.memory.dirty.take()
            self.follower.memory.dirty.take()

    def _words(self) -> list[list[int]]:
        return [side.hart.words[: Hart.size_bytes // 8].tolist() for side in self._sides()]

    def _sides(self) -> tuple[Side, Side]:
        return self.leader, self.follower

    def _narrow(self, start: list[list[int]], found: Difference) -> Difference:
        """The first of the smallest steps after which the sides differ."""
        if self._completed:
            return found
        self._go_back(start)
        while self.leader.hart.instret < found.instret + found.instructions:
            instret, pc = self.leader.hart.instret, self.leader.hart.pc
            difference = self._step(1)
            if difference is not None:
                return difference
            if (self.leader.hart.instret, self.leader.hart.pc) == (instret, pc):
                break
        return found

    def _go_back(self, start: list[list[int]]) -> None:
        """Give both sides the state in which they were last equal."""
        pages = self._pages()
        for side, words in zip(self._sides(), start, strict=True):
            for number, word in enumerate(words):
                side.hart.words[number] = word
            side.hart.resync = 1
            for page in pages:
                offset = page - side.memory.base
                side.memory.write(page, self._shadow[offset : offset + PAGE_BYTES])
