"""Results of verbs as text: tables for many alike, a layout of its own where one helps."""

import dataclasses
from collections.abc import Sequence
from functools import singledispatch
from typing import Any

from hospes.manager.host import Capability
from hospes.manager.network_state import NetworkInspected
from hospes.manager.ran import Ran
from hospes.manager.verbs.doctor import Examination
from hospes.manager.verbs.machines import Remarks
from hospes.manager.verbs.show import Shown
from hospes.ui.sentence import sentence


@singledispatch
def present(result: Any) -> str:
    """The text for a result, without a final newline; "" when there is nothing to say."""
    if result is None:
        return ""
    if dataclasses.is_dataclass(result):
        return _fields(result)
    return str(result)


@present.register(tuple)
@present.register(list)
def _(result: Sequence[Any]) -> str:
    if not result or not dataclasses.is_dataclass(result[0]):
        return "\n".join(present(one) for one in result)
    names = [field.name for field in dataclasses.fields(result[0])]
    rows = [[_cell(getattr(one, name)) for name in names] for one in result]
    return aligned([[name.replace("_", " ").upper() for name in names], *rows])


@present.register
def _(result: Examination) -> str:
    width = max(len(c.name) for c in result.capabilities)
    return "\n".join(f"{c.name:{width}}  {_judged(c)}" for c in result.capabilities)


@present.register
def _(result: Shown) -> str:
    parts = [aligned([[e.syntax, e.pattern, e.where] for e in result.encodings])]
    parts += [f"{meaning.place}\n{meaning.source}" for meaning in result.meanings]
    parts += [
        f"{handler.symbol}, {title}\n{text}"
        for handler in result.handlers
        for title, text in (("LLVM IR", handler.ir), ("assembly", handler.assembly))
    ]
    return "\n\n".join(parts)


@present.register
def _(result: NetworkInspected) -> str:
    import json  # Here, for it costs every start a part of its time.

    return json.dumps(dataclasses.asdict(result), indent=2)


@present.register
def _(result: Ran) -> str:
    return ""


@present.register
def _(result: Remarks) -> str:
    return ""


def remarks(result: Any) -> str:
    """What belongs to a result without being it; for standard error."""
    if not isinstance(result, Ran | Remarks):
        return ""
    said = [f"hospes: {sentence(result.remark)}"] if result.remark else []
    rows = result.statistics if isinstance(result, Ran) else ()
    return "\n".join([*said, *([aligned(rows)] if rows else [])])


def _judged(c: Capability) -> str:
    answer = f"yes  {c.found}; " if c.present else "no   "
    if not c.needed_for:
        return f"{answer}not used by this version"
    return f"{answer}for {c.needed_for}" + ("" if c.present else f"; without it, {c.without}")


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, two blanks apart."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _fields(result: Any) -> str:
    fields = dataclasses.fields(result)
    width = max(len(field.name) for field in fields) + 1
    return "\n".join(
        f"{field.name.replace('_', ' ') + ':':{width}} {_cell(getattr(result, field.name))}"
        for field in fields
    )


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return "; ".join(map(str, value)) or "-"
    return "-" if value is None else str(value)
