"""All native handlers of an operation: by instruction length, near and far, fast and slow."""

from __future__ import annotations

from hospes.compiler.emitter import Value
from hospes.compiler.lower import lower_body
from hospes.compiler.module import Module
from hospes.compiler.subset import Source, source_of
from hospes.engine.threaded.calls import define_handler
from hospes.engine.threaded.handlers import Handler, Kind
from hospes.engine.threaded.ops import Operation


def compile_operation(module: Module, operation: Operation) -> dict[tuple[int, bool], str]:
    """Define every handler of an operation; returns the symbols by length and nearness."""
    source = source_of(operation.function)
    symbols = {}
    for length in operation.lengths:
        first = Kind.SERIAL if operation.serial else Kind.FAST
        far = _compile(module, source, operation, length, first, near=False)
        symbols[length, False] = far.symbol(first)
        if far.jumps_relative:
            near = _compile(module, source, operation, length, first, near=True)
            symbols[length, True] = near.symbol(first)
    return symbols


def _compile(
    module: Module, source: Source, operation: Operation, length: int, kind: Kind, *, near: bool
) -> Handler:
    arguments: dict[str, Value] = {}

    def start() -> Handler:
        handler = Handler(operation, length, kind, near=near)
        handler.prologue()
        arguments.update({slot.name: handler.operand(slot) for slot in operation.slots})
        return handler

    handler = lower_body(module, source, start, arguments)
    name = handler.symbol(kind)
    module.define(name, define_handler(name, handler.emitter.body(), hot=kind is Kind.FAST))
    if handler.needs_slow:
        _compile(module, source, operation, length, Kind.SLOW, near=near)
    return handler
