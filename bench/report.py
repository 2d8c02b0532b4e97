"""The result for people: tables on a terminal, or in Markdown for docs/PERFORMANCE.md."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.environment import Environment
from bench.programs import HOSPES_NAME, QEMU_NAME
from bench.rows import Result
from hospes.base.errors import HospesError

BEGIN: Final = "<!-- made by `make bench`: begin -->"
END: Final = "<!-- made by `make bench`: end -->"
HEADINGS: Final = ("", QEMU_NAME, HOSPES_NAME, "ratio", "CPU, s", "CPU ratio", "must", "aim")
WIDTH_WITHOUT_TERMINAL: Final = 150

Tables = dict[str, list[Result]]
"""Results under the title of their table."""


def show(tables: Tables, environment: Environment, console: Console) -> None:
    """Print all tables."""
    for title, results in tables.items():
        table = Table(title=title, title_justify="left")
        for number, heading in enumerate(HEADINGS):
            table.add_column(heading, justify="right" if number else "left", no_wrap=True)
        for result in results:
            table.add_row(*_cells(result), style="bold red" if result.failure else "")
        console.print(table)
    for line in environment.lines():
        console.print(line, highlight=False)


def write_document(path: Path, tables: Tables, environment: Environment) -> None:
    """Put the tables between the marks in a document; HospesError if it has none."""
    text = path.read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise HospesError(f"{path} has no lines '{BEGIN}' and '{END}'; put them where tables go")
    made = markdown(tables, environment)
    path.write_text(f"{before}{BEGIN}\n\n{made}\n{END}{after}", "utf-8")


def markdown(tables: Tables, environment: Environment) -> str:
    """The tables and facts in Markdown."""
    lines = ["\n".join(environment.lines()), ""]
    for title, results in tables.items():
        lines += [f"### {title}", "", _markdown_row(HEADINGS)]
        lines.append("|---|" + "---:|" * (len(HEADINGS) - 1))
        lines += [_markdown_row(_cells(result)) for result in results]
        lines.append("")
    return "\n".join(lines)


def as_json(tables: Tables, environment: Environment) -> str:
    """Everything measured, for programs."""
    rows = [
        {
            "table": title,
            "key": result.row.key,
            "title": result.row.title,
            "unit": result.row.unit,
            "values": result.values,
            "cpu_seconds": result.cpu,
            "ratio": result.ratio,
            "failure": result.failure,
        }
        for title, results in tables.items()
        for result in results
    ]
    return json.dumps({"environment": asdict(environment), "rows": rows}, indent=1)


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(result: Result) -> tuple[str, ...]:
    row = result.row
    must = f"{row.must:g}x" if row.must is not None else ""
    if row.must_value is not None:
        must = f"{row.must_value:g} {row.unit}"
    cpu_ratio = result.cpu_ratio
    return (
        f"{row.title}, {row.unit}",
        spread(result.values[QEMU_NAME]),
        spread(result.values[HOSPES_NAME]),
        f"{result.ratio:.2f}",
        " : ".join(number(median(seconds)) for seconds in result.cpu.values()),
        "" if cpu_ratio is None else f"{cpu_ratio:.2f}",
        must,
        row.aim,
    )


def spread(values: Sequence[float]) -> str:
    """The median with the least and the greatest value."""
    middle = number(median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({number(min(values))} to {number(max(values))})"


def number(value: float) -> str:
    """Three digits that matter, no exponent."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
