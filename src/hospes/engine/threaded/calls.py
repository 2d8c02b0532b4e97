"""How native handlers call each other: one signature, tail calls, the jump by the fetch TLB."""

from __future__ import annotations

from typing import Final

from hospes.compiler.emitter import Emitter
from hospes.engine.threaded.state import (
    FETCH_ADDEND,
    FETCH_ENTRY_SHIFT,
    TLB_ENTRIES,
    EngineState,
)

SIGNATURE: Final = "ptr %op, ptr %h, ptr %tlb, i64 %budget, i64 %pcbase, i64 %gen"
"""The op, the hart, the data TLB of the context, the budget (instructions left in the slice),
pcbase (an op's guest address is its own address / 8 plus pcbase), the generation in tags."""
PAGE_MASK: Final = -4096


def field(name: str) -> int:
    """A state field's byte offset."""
    return EngineState.offsets[name]


def tail(callee: str, **changed: str) -> list[str]:
    """The instructions of a tail call between handlers, with some arguments changed."""
    names = ("op", "h", "tlb", "budget", "pcbase", "gen")
    kinds = ("ptr", "ptr", "ptr", "i64", "i64", "i64")
    arguments = ", ".join(
        f"{kind} {changed.get(name, '%' + name)}" for kind, name in zip(kinds, names, strict=True)
    )
    return [f"musttail call preserve_nonecc void {callee}({arguments})", "ret void"]


def define_handler(name: str, body: str, *, hot: bool = True) -> str:
    """The text of one handler."""
    attributes = "nounwind" if hot else "nounwind noinline cold"
    return f'define preserve_nonecc void @"{name}"({SIGNATURE}) {attributes} {{\n{body}\n}}\n'


def emit_far_jump(emitter: Emitter, target: str, budget: str) -> None:
    """Jump to a guest address: by the fetch TLB, or through @resume if it or the budget fails."""
    table = emitter.temp(f"load ptr, ptr {emitter.address('%h', field('fetch_table'))}")
    shifted = emitter.temp(f"lshr i64 {target}, {12 - FETCH_ENTRY_SHIFT}")
    index = emitter.temp(f"and i64 {shifted}, {(TLB_ENTRIES - 1) << FETCH_ENTRY_SHIFT}")
    entry = emitter.address(table, index)
    page = emitter.temp(f"and i64 {target}, {PAGE_MASK}")
    wanted = emitter.temp(f"or i64 {page}, %gen")
    tag = emitter.load_word(entry, 0)
    hit = emitter.temp(f"icmp eq i64 {tag.ref}, {wanted}")
    more = emitter.temp(f"icmp sgt i64 {budget}, 0")
    both = emitter.test(f"and i1 {hit}, {more}")
    on, aside = emitter.name("on"), emitter.name("aside")
    emitter.branch(both, on, aside, likely=True)
    emitter.place(aside)
    emitter.store_word("%h", field("next_pc"), target)
    call, end = tail("@resume", budget=budget)
    emitter.emit(call)
    emitter.terminate(end)
    emitter.place(on)
    addend = emitter.load_word(entry, FETCH_ADDEND)
    scaled = emitter.temp(f"shl i64 {target}, 3")
    address = emitter.temp(f"add i64 {addend.ref}, {scaled}")
    place = emitter.temp(f"lshr i64 {address}, 3")
    base = emitter.temp(f"sub i64 {target}, {place}")
    op = emitter.temp(f"inttoptr i64 {address} to ptr")
    handler = emitter.temp(f"load ptr, ptr {op}")
    call, end = tail(handler, op=op, budget=budget, pcbase=base)
    emitter.emit(call)
    emitter.terminate(end)


class Glue(Emitter):
    """An emitter with the steps that the fixed parts of the engine share."""

    def read(self, name: str) -> str:
        """Load a field of the state."""
        return self.load_word("%h", field(name)).ref

    def write(self, name: str, ref: str) -> None:
        """Store a field of the state."""
        self.store_word("%h", field(name), ref)

    def tail(self, callee: str, **changed: str) -> None:
        """End by a tail call to another handler."""
        call, end = tail(callee, **changed)
        self.emit(call)
        self.terminate(end)

    def pc(self) -> str:
        """The guest address of %op."""
        address = self.temp("ptrtoint ptr %op to i64")
        return self.temp(f"add i64 {self.temp(f'lshr i64 {address}, 3')}, %pcbase")

    def write_instret(self) -> None:
        """Bring h.instret up to date."""
        self.write("instret", self.temp(f"sub i64 {self.read('instret_end')}, %budget"))

    def fork(self, condition: str, hint: str) -> str:
        """Branch aside on a condition; returns the label of the other way, to be placed later."""
        aside, on = self.name(hint), self.name("on")
        self.terminate(f"br i1 {condition}, label %{aside}, label %{on}")
        self.place(aside)
        return on

    def go(self, op_address: str, **changed: str) -> None:
        """Dispatch the op at an address given as an i64."""
        op = self.temp(f"inttoptr i64 {op_address} to ptr")
        self.tail(self.temp(f"load ptr, ptr {op}"), op=op, **changed)
