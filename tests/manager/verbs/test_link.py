"""`hospes link`: a machine's network cable."""

from pathlib import Path

from tests.manager.verbs.test_machines import refusal
from tests.ui.programs import IDLE, SAY, bare_metal, hospes


def test_it_is_pulled_and_put_back(home: Path, tmp_path: Path) -> None:
    program = bare_metal(tmp_path / "idle.bin", SAY + IDLE)
    words = ["run", "-d", "--bios", str(program), "--engine", "reference", "--memory", "16M"]
    assert hospes(*words, "--name", "web", "--network", "nat").returncode == 0
    assert hospes("link", "web").stdout == "up\n"
    done = hospes("link", "web", "down")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert hospes("link", "web").stdout == "down\n"
    assert hospes("link", "web", "up").returncode == 0
    assert hospes("link", "web").stdout == "up\n"
    assert hospes("link", "web", "sideways").returncode == 2
    assert hospes(*words, "--name", "lone").returncode == 0
    assert "has no network; start one with --network nat" in refusal("link", "lone", "down")
