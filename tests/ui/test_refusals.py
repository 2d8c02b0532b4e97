"""What a user can get wrong: one sentence and an exit code each, never a traceback."""

import sys
from pathlib import Path

import pytest
from tests.firmware.conftest import Files
from tests.ui.programs import SPIN, bare_metal, hospes

USAGE = 2
REFUSED = 1


def refusal(*words: str, code: int = REFUSED, **environment: str) -> str:
    """The sentence; everything else about the answer is checked here."""
    done = hospes(*words, **environment)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("hospes: ")
    assert lines[0].endswith((".", "?"))
    return lines[0].removeprefix("hospes: ")


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """An Image that wants 32 MiB."""
    path = tmp_path / "kernel"
    path.write_bytes(Files.image(size=32 << 20))
    return path


def test_a_missing_kernel() -> None:
    assert refusal("run", "--kernel", "/no/such") == (
        "Kernel /no/such does not exist; check the path."
    )


def test_a_truncated_kernel(tmp_path: Path) -> None:
    path = tmp_path / "kernel"
    path.write_bytes(Files.stub_image()[:6000])
    assert "is truncated (6000 of 8192 bytes)" in refusal("run", "--kernel", str(path))


def test_a_kernel_for_another_machine() -> None:
    assert "is an ELF file for" in refusal("run", "--kernel", sys.executable)


def test_a_kernel_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("not a kernel\n" * 100)
    assert "is not a RISC-V kernel" in refusal("run", "--kernel", str(path))


@pytest.mark.parametrize("memory", ["1M", "8M"])
def test_too_little_memory(kernel: Path, memory: str) -> None:
    sentence = refusal("run", "--kernel", str(kernel), "--memory", memory)
    assert "of memory are too little" in sentence
    assert "give at least 34 MiB" in sentence


@pytest.mark.parametrize("memory", ["lots", "12Q", "-1G"])
def test_memory_that_is_no_size(kernel: Path, memory: str) -> None:
    assert "is not a size" in refusal("run", "--kernel", str(kernel), f"--memory={memory}")


def test_a_corrupt_initrd(kernel: Path, tmp_path: Path) -> None:
    path = tmp_path / "initrd"
    path.write_bytes(b"\x1f\x8b" + bytes(100))
    assert str(path) in refusal("run", "--kernel", str(kernel), "--initrd", str(path))
    path.write_bytes(b"not an archive" * 10)
    assert "cpio" in refusal("run", "--kernel", str(kernel), "--initrd", str(path))


@pytest.mark.parametrize(
    ("volume", "sentence"),
    [
        ("/no/such:/src", "here is no folder /no/such to share"),
        ("/etc/passwd:/src", "/etc/passwd is not a folder"),
        ("/tmp", "'/tmp' does not say what to share"),
        ("/tmp:/src:fast", "shared folder '/tmp:/src:fast' has 'fast'"),
        ("/tmp:src", "write a path that begins with /"),
    ],
)
def test_a_folder_that_cannot_be_shared(kernel: Path, volume: str, sentence: str) -> None:
    assert sentence in refusal("run", "--kernel", str(kernel), "--volume", volume)


def test_two_folders_in_one_place(kernel: Path) -> None:
    words = ("--volume", "/tmp:/src", "-v", "/etc:/src")
    said = refusal("run", "--kernel", str(kernel), *words)
    assert "folders /tmp and /etc cannot both be at /src" in said


@pytest.mark.parametrize("words", [["run"], ["images", "pull"], ["images", "rm"]])
def test_an_unknown_image(words: list[str]) -> None:
    assert "There is no image 'atlantis'" in refusal(*words, "atlantis")


def test_no_network_on_the_first_fetch(tmp_path: Path) -> None:
    done = hospes(
        "run", "--", "true", HOSPES_CACHE=str(tmp_path), HOSPES_MIRROR="http://127.0.0.1:9/debian"
    )
    assert done.returncode == REFUSED
    last = done.stderr.splitlines()[-1]
    assert "Debian mirror cannot be reached" in last
    assert "Traceback" not in done.stderr


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "HOSPES_CACHE" in refusal("images", "pull", HOSPES_CACHE=str(tmp_path / "file"))


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--engine", "steam"],
        ["run", "--cpus", "some"],
        ["run", "--kernel"],
        ["run", "--turbo"],
        ["run", "tiny", "uname"],
        ["images", "eat"],
        ["images"],
        ["show"],
    ],
)
def test_wrong_words(words: list[str]) -> None:
    assert "Try 'hospes --help'." in refusal(*words, code=USAGE)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["tiny", "--kernel", "k"], "The image 'tiny' has its own kernel"),
        (["--kernel", "k", "--", "ls"], "A command needs an image"),
        (["--bios", "k", "--", "ls"], "A command needs an image"),
        (["--cpus", "0", "--kernel", "k"], "0 CPUs cannot be had"),
    ],
)
def test_wishes_that_contradict(words: list[str], sentence: str) -> None:
    assert refusal("run", *words).startswith(sentence)


def test_a_guest_that_does_not_end_in_time(tmp_path: Path) -> None:
    program = bare_metal(tmp_path / "spin.bin", SPIN)
    sentence = refusal(
        "run", "--bios", str(program), "--engine", "reference", "--timeout", "0.5", code=124
    )
    assert sentence == "The machine still ran after 0.5 s and was stopped."
