"""The fixed parts of the threaded engine in LLVM IR: entering, leaving, traps, page crossings.

What handlers are given stays in host registers from one to the next; `dispatch` loads it anew.
"""

from __future__ import annotations

from hospes.engine.engine import Exit
from hospes.engine.threaded.calls import Glue, define_handler, emit_far_jump
from hospes.engine.threaded.state import (
    ACCESS_EXIT,
    ACCESS_TRAP,
    DATA_TABLE_SHIFT,
    FETCH_ADDEND,
    FETCH_ENTRY_SHIFT,
    FETCH_TABLE_SHIFT,
    STRADDLE_SHIFT,
    TLB_ENTRIES,
)
from hospes.engine.threaded.straddle import FETCH_AGAIN


def pause() -> str:
    """The slice ended before the op: attend, then go on there."""
    glue = Glue()
    glue.write("next_pc", glue.pc())
    glue.tail("@attend")
    return define_handler("pause", glue.body(), hot=False)


def resume() -> str:
    """Go on at h.next_pc after anything may have changed."""
    glue = Glue()
    event = glue.temp(f"or i64 {glue.read('poll')}, {glue.read('exit_reason')}")
    eventful = glue.temp(f"icmp ne i64 {event}, 0")
    over = glue.temp("icmp sle i64 %budget, 0")
    on = glue.fork(glue.temp(f"or i1 {eventful}, {over}"), "event")
    glue.tail("@attend")
    glue.place(on)
    glue.tail("@dispatch")
    return define_handler("resume", glue.body(), hot=False)


def attend() -> str:
    """Between slices; returns to Python or dispatches."""
    glue = Glue()
    glue.write_instret()
    result = glue.temp('call i64 @"engine.threaded.attend.attend"(ptr %h)')
    on = glue.fork(glue.temp(f"icmp ne i64 {result}, 0"), "leave")
    glue.write("pc", glue.read("next_pc"))
    glue.terminate("ret void")
    glue.place(on)
    budget = glue.temp(f"sub i64 {glue.read('instret_end')}, {glue.read('instret')}")
    glue.tail("@dispatch", budget=budget)
    return define_handler("attend", glue.body(), hot=False)


def dispatch() -> str:
    """Load what handlers keep in registers and jump to h.next_pc through the fetch TLB."""
    glue = Glue()
    tlb = _data_table(glue)
    mode = glue.temp(f"shl i64 {glue.read('mode')}, {FETCH_TABLE_SHIFT}")
    fetch_table = glue.temp(f"add i64 {glue.read('fetch_tables')}, {mode}")
    glue.write("fetch_table", fetch_table)
    generation, target = glue.read("generation"), glue.read("next_pc")
    shifted = glue.temp(f"lshr i64 {target}, {12 - FETCH_ENTRY_SHIFT}")
    index = glue.temp(f"and i64 {shifted}, {(TLB_ENTRIES - 1) << FETCH_ENTRY_SHIFT}")
    line = glue.temp(f"inttoptr i64 {glue.temp(f'add i64 {fetch_table}, {index}')} to ptr")
    page = glue.temp(f"and i64 {target}, -4096")
    wanted = glue.temp(f"or i64 {page}, {generation}")
    on = glue.fork(glue.temp(f"icmp ne i64 {glue.load_word(line, 0).ref}, {wanted}"), "miss")
    glue.tail("@fetch_miss", tlb=tlb)
    glue.place(on)
    scaled = glue.temp(f"shl i64 {target}, 3")
    op = glue.temp(f"add i64 {glue.load_word(line, FETCH_ADDEND).ref}, {scaled}")
    base = glue.temp(f"sub i64 {target}, {glue.temp(f'lshr i64 {op}, 3')}")
    glue.go(op, tlb=tlb, pcbase=base, gen=generation)
    return define_handler("dispatch", glue.body(), hot=False)


def fetch_miss() -> str:
    """Translate h.next_pc for fetching; a fault is taken there, a missing frame is an exit."""
    glue = Glue()
    op = glue.temp('call i64 @"engine.threaded.code.fetch"(ptr %h)')
    target = glue.read("next_pc")
    on = glue.fork(glue.temp(f"icmp eq i64 {op}, 0"), "fault")
    glue.write("pc", target)
    glue.write_instret()
    exits = glue.temp(f"icmp eq i64 {glue.read('access')}, {ACCESS_EXIT}")
    faults = glue.fork(exits, "leave")
    glue.terminate("ret void")
    glue.place(faults)
    glue.emit('call void @"engine.threaded.attend.deliver_trap"(ptr %h)')
    glue.tail("@resume", budget=glue.temp("sub i64 %budget, 1"))
    glue.place(on)
    base = glue.temp(f"sub i64 {target}, {glue.temp(f'lshr i64 {op}, 3')}")
    glue.go(op, pcbase=base, gen=glue.read("generation"))
    return define_handler("fetch_miss", glue.body(), hot=False)


def next_page() -> str:
    """The op behind a page's last one: the address it stands for is in the next page."""
    glue = Glue()
    emit_far_jump(glue, glue.pc(), "%budget")
    return define_handler("next_page", glue.body())


def straddle() -> str:
    """A 4-byte instruction whose second half is in the next page."""
    glue = Glue()
    pc = glue.pc()
    address = glue.temp("ptrtoint ptr %op to i64")
    op = glue.temp(
        f'call i64 @"engine.threaded.straddle.decode_straddle"(ptr %h, i64 {address}, i64 {pc})'
    )
    on = glue.fork(glue.temp(f"icmp eq i64 {op}, 0"), "fault")
    glue.tail("@access_failed")
    glue.place(on)
    on = glue.fork(glue.temp(f"icmp eq i64 {op}, {FETCH_AGAIN}"), "again")
    glue.write("next_pc", pc)
    glue.tail("@resume")
    glue.place(on)
    base = glue.temp(f"sub i64 %pcbase, {STRADDLE_SHIFT}")
    glue.go(op, pcbase=base, gen=glue.read("generation"))
    return define_handler("straddle", glue.body(), hot=False)


def decode() -> str:
    """A fresh op: decode in place, then execute."""
    glue = Glue()
    address = glue.temp("ptrtoint ptr %op to i64")
    glue.emit(f'call void @"engine.threaded.parcels.decode_op"(ptr %h, i64 {address})')
    glue.tail(glue.temp("load ptr, ptr %op"))
    return define_handler("decode", glue.body(), hot=False)


def trap() -> str:
    """The instruction of %op raises the trap in h.trap_cause and h.trap_tval."""
    glue = Glue()
    glue.write("pc", glue.pc())
    glue.write_instret()
    glue.emit('call void @"engine.threaded.attend.deliver_trap"(ptr %h)')
    glue.tail("@resume", budget=glue.temp("sub i64 %budget, 1"))
    return define_handler("trap", glue.body(), hot=False)


def illegal() -> str:
    """The instruction of %op is illegal."""
    glue = Glue()
    glue.write("pc", glue.pc())
    glue.write_instret()
    address = glue.temp("ptrtoint ptr %op to i64")
    bits = glue.temp(f'call i64 @"engine.threaded.parcels.instruction_bits"(ptr %h, i64 {address})')
    glue.emit(f'call void @"engine.threaded.attend.deliver_illegal"(ptr %h, i64 {bits})')
    glue.tail("@resume", budget=glue.temp("sub i64 %budget, 1"))
    return define_handler("illegal", glue.body(), hot=False)


def access_failed() -> str:
    """An access out of line trapped or must be completed by Python."""
    glue = Glue()
    trapped = glue.temp(f"icmp eq i64 {glue.read('access')}, {ACCESS_TRAP}")
    on = glue.fork(trapped, "trapped")
    glue.tail("@trap")
    glue.place(on)
    glue.tail("@leave_here")
    return define_handler("access_failed", glue.body(), hot=False)


def leave_here() -> str:
    """Return to Python with pc at the instruction of %op and its bits in exit_instruction."""
    glue = Glue()
    address = glue.temp("ptrtoint ptr %op to i64")
    bits = glue.temp(f'call i64 @"engine.threaded.parcels.instruction_bits"(ptr %h, i64 {address})')
    glue.write("exit_instruction", bits)
    glue.write("pc", glue.pc())
    glue.write_instret()
    glue.terminate("ret void")
    return define_handler("leave_here", glue.body(), hot=False)


def leave_reference() -> str:
    """The instruction of %op is left to the reference engine."""
    glue = Glue()
    glue.write("exit_reason", str(int(Exit.REFERENCE)))
    glue.tail("@leave_here")
    return define_handler("leave_reference", glue.body(), hot=False)


def enter() -> str:
    """The C function that Python calls: run from h.pc until there is a reason to return."""
    glue = Glue()
    glue.write("next_pc", glue.read("pc"))
    glue.write("instret_end", glue.read("instret"))
    glue.emit("call void @host_fp_enter(ptr %h)")
    glue.emit("call preserve_nonecc void @attend(ptr null, ptr %h, ptr null, i64 0, i64 0, i64 0)")
    glue.emit("call void @host_fp_leave(ptr %h)")
    glue.terminate("ret void")
    return f"define void @enter(ptr %h) nounwind {{\n{glue.body()}\n}}\n"


def _data_table(glue: Glue) -> str:
    offset = glue.temp(f"shl i64 {glue.read('context')}, {DATA_TABLE_SHIFT}")
    table = glue.temp(f"add i64 {glue.read('data_tables')}, {offset}")
    return glue.temp(f"inttoptr i64 {table} to ptr")


PARTS = {
    part.__name__: part
    for part in (
        pause, resume, attend, dispatch, fetch_miss, next_page, straddle, decode, trap, illegal,
        access_failed, leave_here, leave_reference, enter,
    )
}  # fmt: skip
"""Every fixed function, by its symbol."""
