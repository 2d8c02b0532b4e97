"""The engine's native code: taken from the cache on disk, or generated once and put there."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Final

import hospes
from hospes.base.paths import cache_directory
from hospes.compiler.cache import ObjectCache
from hospes.compiler.code import Code, cache_key, function, load, source_files

PACKAGES: Final = ("base", "isa", "compiler", "memory", "engine")
"""Rooms whose source decides what the native code is."""

Progress = Callable[[str], None]
_loaded: dict[str, Code] = {}


def silent(message: str) -> None:
    """No progress line."""


def load_engine(progress: Progress = silent) -> Callable[[int], None]:
    """The entry point of the engine's native code: a C function of the hart's address.

    progress is told once when the code has to be generated first, which takes seconds.
    """
    root = Path(hospes.__file__).parent
    key = cache_key(source_files(*(root / name for name in PACKAGES)))
    if key not in _loaded:
        _loaded[key] = load(_object_code(key, progress))
    return function(_loaded[key], "enter", ctypes.c_void_p)


def _object_code(key: str, progress: Progress) -> bytes:
    cache = ObjectCache(cache_directory() / "native")
    code = cache.get(key)
    if code is None:
        progress("generating native code for this processor (once)")
        from hospes.compiler.native import compile_text

        code = compile_text(_engine_text())
        cache.put(key, code)
    return code


def _engine_text() -> str:
    """Imported late: a warm start needs neither the instructions nor the compiler's front end."""
    from hospes.engine.threaded.build import engine_text
    from hospes.isa.riscv.profile import RV64

    return engine_text(RV64)
