"""Our loader of object code against LLVM's own, and what it refuses."""

import ctypes

import pytest

from hospes.base.errors import HospesError
from hospes.compiler import loader
from hospes.compiler.native import NativeCode, compile_text

pytestmark = pytest.mark.skipif(not loader.SUPPORTED, reason="our loader is for x86-64 hosts")

TEXT = """
@table = internal constant [3 x i64] [i64 7, i64 11, i64 13]
@functions = internal constant [2 x ptr] [ptr @first, ptr @second]
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare i32 @getpid()
define internal i64 @first(i64 %n) noinline {
  %p = getelementptr i64, ptr @table, i64 %n
  %v = load i64, ptr %p
  ret i64 %v
}
define internal i64 @second(i64 %n) noinline cold {
  %v = mul i64 %n, 1000
  ret i64 %v
}
define void @run(ptr %block) {
  %which = load i64, ptr %block
  %slot = getelementptr ptr, ptr @functions, i64 %which
  %function = load ptr, ptr %slot
  %p1 = getelementptr i64, ptr %block, i64 1
  %argument = load i64, ptr %p1
  %result = call i64 %function(i64 %argument)
  %p2 = getelementptr i64, ptr %block, i64 2
  store i64 %result, ptr %p2
  %direct = call i64 @second(i64 %result)
  %p3 = getelementptr i64, ptr %block, i64 3
  store i64 %direct, ptr %p3
  %size = mul i64 %argument, 8
  %p4 = getelementptr i64, ptr %block, i64 4
  call void @llvm.memcpy.p0.p0.i64(ptr %p4, ptr @table, i64 %size, i1 false)
  %pid = call i32 @getpid()
  %wide = zext i32 %pid to i64
  %p7 = getelementptr i64, ptr %block, i64 7
  store i64 %wide, ptr %p7
  ret void
}
"""


def results(address: int, which: int, argument: int) -> list[int]:
    block = (ctypes.c_uint64 * 8)(which, argument)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address)(ctypes.addressof(block))
    return list(block)


@pytest.mark.parametrize(("which", "argument"), [(0, 0), (0, 2), (1, 1), (1, 2)])
def test_loads_what_llvm_loads(which: int, argument: int) -> None:
    code = compile_text(TEXT)
    ours, theirs = loader.ObjectCode(code), NativeCode(code)
    expected = results(theirs.address("run"), which, argument)
    assert expected[7] > 0
    assert results(ours.address("run"), which, argument) == expected


def test_pages_are_never_writable_and_executable() -> None:
    code = loader.ObjectCode(compile_text(TEXT))
    address = code.address("run")
    with open("/proc/self/maps", encoding="ascii") as maps:
        ranges = [line.split() for line in maps]
    for where, rights, *_ in ranges:
        low, high = (int(bound, 16) for bound in where.split("-"))
        if low <= address < high:
            assert rights.startswith("r-x")
            return
    raise AssertionError("the code is in no mapping")


def test_an_unknown_symbol_is_a_lookup_error() -> None:
    with pytest.raises(LookupError, match="absent"):
        loader.ObjectCode(compile_text(TEXT)).address("absent")


def test_refuses_what_is_no_object_file() -> None:
    with pytest.raises(HospesError, match="not an x86-64 object file"):
        loader.ObjectCode(b"\x7fELF\x01" + bytes(64))
