"""What generated code needs of the host: the clock, and its floating-point control register.

Guest floating point runs in the host's unit. MXCSR holds the guest's rounding mode while guest
code runs, and gathers exception flags; they are moved to fflags when the guest looks at its
floating-point CSRs and when the run ends (Intel SDM, volume 1, section 10.2.3).
"""

from __future__ import annotations

import platform
from typing import Final

from hospes.engine.threaded.calls import field

X86: Final = platform.machine() in {"x86_64", "AMD64"}
MXCSR_MASKED: Final = 0x1F80
"""All exceptions masked, no flags, round to nearest, denormals as they are."""
CLOCK_MONOTONIC: Final = 1
INSTRUCTIONS_PER_TICK: Final = 10
NS_PER_TICK: Final = 100

_TIME = """
define internal i64 @time_now(ptr %h) noinline cold nounwind {{
  %mode.p = getelementptr i8, ptr %h, i64 {clock_from_instret}
  %mode = load i64, ptr %mode.p
  %from.instret = icmp ne i64 %mode, 0
  %base.p = getelementptr i8, ptr %h, i64 {clock_base_ns}
  %base = load i64, ptr %base.p
  br i1 %from.instret, label %counted, label %clock
counted:
  %instret.p = getelementptr i8, ptr %h, i64 {instret}
  %instret = load i64, ptr %instret.p
  %ticks = udiv i64 %instret, {per_tick}
  %skipped = add i64 %ticks, %base
  ret i64 %skipped
clock:
  %function.p = getelementptr i8, ptr %h, i64 {clock_gettime}
  %function = load ptr, ptr %function.p
  %when = getelementptr i8, ptr %h, i64 {clock_seconds}
  %ignored = call i32 %function(i32 {monotonic}, ptr %when)
  %seconds = load i64, ptr %when
  %nanoseconds.p = getelementptr i8, ptr %h, i64 {clock_nanoseconds}
  %nanoseconds = load i64, ptr %nanoseconds.p
  %whole = mul i64 %seconds, 1000000000
  %now = add i64 %whole, %nanoseconds
  %since = sub i64 %now, %base
  %result = udiv i64 %since, {ns_per_tick}
  ret i64 %result
}}
"""

_X86_FP = """
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)

define internal void @host_fp_enter(ptr %h) noinline nounwind {{
  %host = getelementptr i8, ptr %h, i64 {host_mxcsr}
  call void @llvm.x86.sse.stmxcsr(ptr %host)
  call void @host_fp_apply(ptr %h)
  ret void
}}
define internal void @host_fp_leave(ptr %h) noinline nounwind {{
  call void @host_fp_collect(ptr %h)
  %host = getelementptr i8, ptr %h, i64 {host_mxcsr}
  call void @llvm.x86.sse.ldmxcsr(ptr %host)
  ret void
}}
define internal void @host_fp_collect(ptr %h) noinline nounwind {{
  %guest = getelementptr i8, ptr %h, i64 {guest_mxcsr}
  call void @llvm.x86.sse.stmxcsr(ptr %guest)
  %mxcsr = load i32, ptr %guest
  %pe = lshr i32 %mxcsr, 5
  %nx = and i32 %pe, 1
  %ue = lshr i32 %mxcsr, 3
  %uf = and i32 %ue, 2
  %oe = lshr i32 %mxcsr, 1
  %of = and i32 %oe, 4
  %ze = shl i32 %mxcsr, 1
  %dz = and i32 %ze, 8
  %ie = shl i32 %mxcsr, 4
  %nv = and i32 %ie, 16
  %a = or i32 %nx, %uf
  %b = or i32 %of, %dz
  %c = or i32 %a, %b
  %d = or i32 %c, %nv
  %flags = zext i32 %d to i64
  %fflags.p = getelementptr i8, ptr %h, i64 {fflags}
  %old = load i64, ptr %fflags.p
  %new = or i64 %old, %flags
  store i64 %new, ptr %fflags.p
  ret void
}}
define internal void @host_fp_apply(ptr %h) noinline nounwind {{
  %frm.p = getelementptr i8, ptr %h, i64 {frm}
  %frm = load i64, ptr %frm.p
  %frm32 = trunc i64 %frm to i32
  %place = and i32 %frm32, 3
  %twice = shl i32 %place, 1
  %shifted = lshr i32 {rounding}, %twice
  %rc = and i32 %shifted, 3
  %field = shl i32 %rc, 13
  %mxcsr = or i32 %field, {masked}
  %guest = getelementptr i8, ptr %h, i64 {guest_mxcsr}
  store i32 %mxcsr, ptr %guest
  call void @llvm.x86.sse.ldmxcsr(ptr %guest)
  ret void
}}
"""

# MXCSR.RC for frm RNE, RTZ, RDN, RUP, two bits each: nearest, to zero, down, up.
_ROUNDING: Final = 0b00 | 0b11 << 2 | 0b01 << 4 | 0b10 << 6

_NO_FP = "\n".join(
    f"define internal void @host_fp_{step}(ptr %h) nounwind {{\n  ret void\n}}"
    for step in ("enter", "leave", "collect", "apply")
)


def host_text() -> str:
    """The IR of the clock and of the floating-point register for this host."""
    names = (
        "clock_from_instret", "clock_base_ns", "instret", "clock_gettime", "clock_seconds",
        "clock_nanoseconds", "host_mxcsr", "guest_mxcsr", "fflags", "frm",
    )  # fmt: skip
    numbers = {name: field(name) for name in names} | {
        "per_tick": INSTRUCTIONS_PER_TICK,
        "ns_per_tick": NS_PER_TICK,
        "monotonic": CLOCK_MONOTONIC,
        "rounding": _ROUNDING,
        "masked": MXCSR_MASKED,
    }
    return _TIME.format(**numbers) + (_X86_FP.format(**numbers) if X86 else _NO_FP)
