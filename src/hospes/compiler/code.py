"""Machine code ready to call, and the key under which it can be kept: without LLVM if possible."""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import platform
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from hospes.compiler import loader

CPU_LINES = ("vendor_id", "model name", "flags", "Features", "CPU implementer", "CPU part")
"""What of /proc/cpuinfo decides which instructions LLVM may use."""


class Code(Protocol):
    """Object code in memory; it stays there as long as this object lives."""

    def address(self, symbol: str) -> int: ...


def load(object_code: bytes) -> Code:
    """Put object code into memory; LLVM does it where our own loader cannot."""
    if loader.SUPPORTED:
        return loader.ObjectCode(object_code)
    from hospes.compiler.native import NativeCode

    return NativeCode(object_code)


def function(code: Code, symbol: str, *argument_types: Any) -> Callable[..., None]:
    """A C function void(argument_types…) of loaded code, which releases the GIL while it runs."""
    called: Callable[..., None] = ctypes.CFUNCTYPE(None, *argument_types)(code.address(symbol))
    return called


def cache_key(sources: Mapping[str, bytes]) -> str:
    """A name for object code made from these source files, by this LLVM, for this processor."""
    digest = hashlib.sha256(host_identity())
    for name in sorted(sources):
        digest.update(f"\0{name}\0{len(sources[name])}\0".encode())
        digest.update(sources[name])
    return digest.hexdigest()[:32]


def source_files(*packages: Path) -> dict[str, bytes]:
    """The Python files of packages, by path, as the key of what is compiled from them."""
    files = sorted(path for package in packages for path in package.rglob("*.py"))
    return {str(path.relative_to(path.parents[2])): path.read_bytes() for path in files}


def host_identity() -> bytes:
    """The processor and the version of llvmlite, and so of LLVM, read without loading either."""
    system = f"{sys.platform} {platform.machine()}".encode()
    return b"\0".join([system, _processor(), _llvm_version()])


def _processor() -> bytes:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        import llvmlite.binding as llvm

        return f"{llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}".encode()
    first = text.split("\n\n", maxsplit=1)[0]
    return "\n".join(line for line in first.split("\n") if line.startswith(CPU_LINES)).encode()


def _llvm_version() -> bytes:
    found = importlib.util.find_spec("llvmlite")
    if found is None or found.origin is None:
        return b"none"
    return (Path(found.origin).parent / "_version.py").read_bytes()
