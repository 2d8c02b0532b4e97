"""The program as a process: what it prints, exits with, loads, and how soon it answers."""

import os
import resource
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.ui.programs import hospes

from hospes.isa.riscv.profile import RV64
from hospes.manager.verb import verb, verbs_of
from hospes.ui import cli

HELP_MS = 150


def test_version() -> None:
    done = hospes("--version")
    assert (done.returncode, done.stdout) == (0, "hospes 0.1.0\n")


def test_help_without_words_and_with() -> None:
    assert hospes().stdout == hospes("--help").stdout
    assert "doctor" in hospes().stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["dance"], "invalid choice: 'dance'"),
        (["run", "--engine", "steam"], "'steam' is none of threaded, reference."),
        (["run", "--cpus", "many"], "'many' is not a whole number."),
        (["doctor", "--fast"], "No such option: --fast."),
        (["doctor", "--", "ls"], "'hospes doctor' takes no command after --."),
        (["doctor", "now"], "Unexpected argument now."),
    ],
)
def test_a_usage_error_is_one_sentence(words: list[str], sentence: str) -> None:
    done = hospes(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert sentence.rstrip(".") in done.stderr


def test_help_answers_soon() -> None:
    """Its processor time, the least of several: other work on this host adds to it."""
    took_ms = []
    for _ in range(7):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert hospes("--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        took_ms.append(1000 * took_s)
    assert min(took_ms) < HELP_MS


def test_help_loads_no_native_code_and_no_arrays() -> None:
    program = (
        "import sys\n"
        "from hospes.ui import cli\n"
        "cli.run(['--help'])\n"
        "sys.exit(str({'llvmlite', 'numpy', 'rich', 'hospes.api', 'asyncio'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == "set()\n"


def test_a_machine_starts_without_what_other_verbs_need(tmp_path: Path) -> None:
    """A start may take 0.3 s; each of these costs 2 to 20 ms of it."""
    ends = tmp_path / "ends.bin"
    ends.write_bytes(RV64.assemble("li t0, 0x100000\nli t1, 0x5555\nsw t1, (t0)\nj .", 0x8000_0000))
    program = (
        "import sys\n"
        "from hospes.ui import cli\n"
        "late = {'llvmlite', 'msgspec', 'shutil', 'lzma', 'zstandard', 'logging', 'difflib'}\n"
        "late |= {'hospes.isa.assembler', 'hospes.isa.riscv.profile', 'hospes.guests.store'}\n"
        "cli._show = lambda result: sys.exit(str(late & set(sys.modules)))\n"
        f"cli.run(['run', '--bios', {str(ends)!r}, '--memory', '64M'])\n"
    )
    # The first one makes the native code if there is none yet, with LLVM.
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
        )
    assert done.stderr == "set()\n"


def test_a_fault_of_ours_is_one_sentence_and_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: os.PathLike[str]
) -> None:
    @verb("GET /fault", "fault")
    def fault(m: object) -> None:
        """Fail."""
        raise ZeroDivisionError("secret")

    monkeypatch.setenv("HOSPES_CACHE", str(tmp_path))
    monkeypatch.setattr(cli, "verbs", lambda first: _verbs(fault))
    assert cli.run(["fault"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("hospes: Hospes itself failed (ZeroDivisionError), the details are in ")
    assert error.count("\n") == 1
    path = error.split(" are in ")[1].strip().rstrip(".")
    with open(path) as file:
        assert "secret" in file.read()


def test_a_result_may_set_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    class Result:
        exit_code = 7

        def __str__(self) -> str:
            return ""

    @verb("GET /seven", "seven")
    def seven(m: object) -> Result:
        """Seven."""
        return Result()

    monkeypatch.setattr(cli, "verbs", lambda first: _verbs(seven))
    assert cli.run(["seven"]) == 7


def _verbs(function: object) -> object:
    module = ModuleType(__name__)
    module.function = function  # type: ignore[attr-defined]
    return verbs_of(module)
