"""Results, their judgement and their tables."""

import dataclasses
import json
from pathlib import Path

import pytest
from bench.environment import Environment, processor_name
from bench.measure import BOOT, MEMORY, Samples
from bench.report import BEGIN, END, Tables, as_json, number, show, write_document
from bench.rows import EVENT_ROWS, LINUX_ROWS, MEMORY_ROWS, results
from rich.console import Console

from hospes.base.errors import HospesError

ENVIRONMENT = Environment(
    "2026-01-02", "AMD EPYC", 2, "Linux 6.1", "3.11.7", "0.50.0",
    {"QEMU": "7.2", "Hospes": "0.1"}, "linux 6.12", 3, 0.25,
)  # fmt: skip


def samples(boot: float = 1.0, memory: float = 100e6) -> dict[str, Samples]:
    """QEMU's boot takes 1 s of 0.9 s processor time; ours are given."""
    made = {"QEMU": Samples(), "Hospes": Samples()}
    for seconds in (0.9, 1.0, 5.0):
        made["QEMU"].add(BOOT, seconds, 0.9)
        made["Hospes"].add(BOOT, boot * seconds, 0.45)
    made["QEMU"].add(MEMORY, 50e6)
    made["Hospes"].add(MEMORY, memory)
    made["QEMU"].add("alu_loop", 0.2)
    made["Hospes"].add("alu_loop", 0.5)
    return made


def tables(**changed: float) -> Tables:
    taken = samples(**changed)
    rows = {"Debian": LINUX_ROWS, "Memory": MEMORY_ROWS, "Events": EVENT_ROWS}
    return {title: results(some, taken) for title, some in rows.items()}


def test_ratios_are_of_medians_and_only_measured_rows_appear() -> None:
    made = tables(boot=1.2)
    assert {title: len(rows) for title, rows in made.items()} == {
        "Debian": 1, "Memory": 1, "Events": 1,
    }  # fmt: skip
    boot = made["Debian"][0]
    assert boot.ratio == pytest.approx(1.2)
    assert boot.cpu_ratio == pytest.approx(0.5)
    assert boot.failure == ""


def test_of_rates_more_is_better() -> None:
    loop = tables()["Events"][0]
    assert loop.values["Hospes"] == (2000.0,)
    assert loop.ratio == pytest.approx(2.5)


def test_what_is_missed_is_a_sentence() -> None:
    made = tables(boot=1.5, memory=250e6)
    assert made["Debian"][0].failure == (
        "start to first user process: 1.50 times QEMU's, and must not exceed 1.3 times "
        "(processor time: 0.50 times)."
    )
    assert made["Memory"][0].failure == (
        "memory beyond the guest's, booted: 250 MB, and must not exceed 200."
    )


def test_tables_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show(tables(), ENVIRONMENT, Console(width=150))
    text = capsys.readouterr().out
    assert "1.00 (0.90 to 5.00)" in text
    assert "Host: AMD EPYC, 2 cores, Linux 6.1, Python 3.11.7, llvmlite 0.50.0." in text
    assert "Load before: 0.2 on 2 cores." in text
    busy = dataclasses.replace(ENVIRONMENT, load=3.0)
    assert "Load before: 3.0 on 2 cores; the host was busy" in busy.lines()[-1]


def test_tables_in_the_document(tmp_path: Path) -> None:
    path = tmp_path / "PERFORMANCE.md"
    path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_document(path, tables(), ENVIRONMENT)
    text = path.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    row = "| start to first user process, s | 1.00 (0.90 to 5.00) | 1.00 (0.90 to 5.00) | 1.00 |"
    assert f"{row} 0.90 : 0.45 | 0.50 | 1.3x | 0.9x |" in text
    path.write_text("nothing")
    with pytest.raises(HospesError, match="has no lines"):
        write_document(path, tables(), ENVIRONMENT)


def test_json_holds_every_value() -> None:
    told = json.loads(as_json(tables(), ENVIRONMENT))
    assert told["environment"]["processor"] == "AMD EPYC"
    [boot] = [row for row in told["rows"] if row["key"] == BOOT]
    assert boot["values"]["QEMU"] == [0.9, 1.0, 5.0]


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1234"), (99.96, "100.0"), (12.34, "12.3"), (0.126, "0.13")]
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


def test_processor_name(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\nmodel name\t: AMD EPYC\n")
    assert processor_name(path) == "AMD EPYC"
    path.write_text("")
    assert processor_name(path)
