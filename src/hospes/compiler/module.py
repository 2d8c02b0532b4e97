"""One LLVM module: the native functions that go into one object, compiled on demand, once each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hospes.base.layout import Struct
from hospes.compiler.emitter import METADATA, Emitter, Value
from hospes.compiler.lower import lower_body
from hospes.compiler.subset import Source, source_of
from hospes.compiler.targets import Lowered, NativeFunction
from hospes.compiler.width import Interval


@dataclass(frozen=True)
class Signature:
    """A compiled native function: its symbol and the interval of its result."""

    symbol: str
    result: Interval | None


class Module:
    """All LLVM functions that go into one object, compiled on demand and once each."""

    def __init__(self, layout: type[Struct], vocabulary: dict[Any, Lowered]) -> None:
        self.layout = layout
        self.vocabulary = vocabulary
        self.definitions: dict[str, str] = {}
        self.declarations: dict[str, str] = {}
        self._signatures: dict[Any, Signature] = {}
        self._pending: set[str] = set()

    def declare(self, symbol: str, text: str) -> None:
        """Declare an external function, such as an intrinsic."""
        self.declarations[symbol] = text

    def define(self, symbol: str, text: str) -> None:
        """Define a function, or whatever else that text holds, once for each symbol."""
        self.definitions[symbol] = text

    def require(self, function: Callable[..., Any]) -> Signature:
        """The native function for a subset function, compiled now if it was not yet."""
        if function not in self._signatures:
            source = source_of(function)
            if source.name in self._pending:
                source.fail(source.tree, "recursion is not part of the subset")
            self._pending.add(source.name)
            self._signatures[function] = self._compile(function, source)
        return self._signatures[function]

    def _compile(self, function: Callable[..., Any], source: Source) -> Signature:
        symbol = source.name.removeprefix("hospes.")
        arguments = {name: Value(f"%a.{name}") for name in source.values}
        target = lower_body(self, source, lambda: NativeFunction(Emitter()), arguments)
        result = target.returned.interval
        kind = "i64" if result is not None else "void"
        parameters = "".join(f", i64 %a.{name}" for name in source.values)
        rare = " noinline cold" if getattr(function, "__hospes_cold__", False) else ""
        self.define(
            symbol,
            f'define internal {kind} @"{symbol}"(ptr %h{parameters}) nounwind{rare} {{\n'
            f"{target.emitter.body()}\n}}\n",
        )
        return Signature(symbol, result)

    def text(self) -> str:
        """The whole module as LLVM IR."""
        parts = [*self.declarations.values(), *self.definitions.values(), METADATA]
        return "\n".join(parts)
