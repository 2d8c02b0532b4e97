"""What the bench adds to a guest."""

import io
import shutil
import subprocess

import pytest
from bench.executable import BASE, HEADERS_BYTES
from bench.float_program import float_program
from bench.guest import FIRST_PROCESS, INIT_PATH, bench_files
from bench.workloads import DONE, FAILED, SCRIPT, WORKLOADS, script
from elftools.elf.elffile import ELFFile

from hospes.guests.cpio import read_archive


def test_float_program_is_an_executable() -> None:
    data = float_program()
    elf = ELFFile(io.BytesIO(data))
    assert elf.header["e_machine"] == "EM_RISCV"
    assert elf.header["e_type"] == "ET_EXEC"
    assert elf.header["e_entry"] == BASE + HEADERS_BYTES
    [segment] = elf.iter_segments()
    assert segment["p_type"] == "PT_LOAD"
    assert segment["p_filesz"] == len(data)


def test_initrd_has_the_bench_files_and_no_directory() -> None:
    entries = {entry.path: entry for entry in read_archive(bench_files())}
    assert not any(entry.is_directory for entry in entries.values())
    assert FIRST_PROCESS in entries[INIT_PATH].data
    assert entries[SCRIPT].data == script()


@pytest.mark.skipif(shutil.which("sh") is None, reason="there is no sh")
def test_script_is_one() -> None:
    subprocess.run(["sh", "-n"], input=script(), check=True)
    text = script().decode()
    assert all(f"{one.key}() {{" in text for one in WORKLOADS)
    assert DONE in script()
    assert FAILED in script()
