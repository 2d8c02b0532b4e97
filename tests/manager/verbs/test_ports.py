"""Ports of the host that lead to machines that are kept."""

from pathlib import Path

import pytest
from tests.machine.test_networks import free_port
from tests.manager.verbs.test_machines import refusal
from tests.ui.programs import IDLE, SAY, bare_metal, hospes

from hospes.manager.store import Store


@pytest.fixture
def words(home: Path, tmp_path: Path) -> list[str]:
    """How a machine with a guest that waits is kept."""
    program = bare_metal(tmp_path / "idle.bin", SAY + IDLE)
    return ["run", "-d", "--bios", str(program), "--engine", "reference", "--memory", "16M"]


def test_they_are_published_listed_and_removed(words: list[str]) -> None:
    first, second = free_port(), free_port()
    done = hospes(*words, "--name", "web", "--network", "nat", "--publish", f"{first}:80")
    assert (done.returncode, done.stderr) == (0, "")
    assert hospes("port", "add", "web", f"{second}:53/udp").returncode == 0
    rows = [line.split() for line in hospes("port", "ls", "web").stdout.splitlines()[1:]]
    assert rows == [[f"127.0.0.1:{first}", "80", "tcp"], [f"127.0.0.1:{second}", "53", "udp"]]
    assert f"127.0.0.1:{first} cannot be published" in refusal("port", "add", "web", f"{first}:81")
    assert hospes("port", "rm", "web", f"{first}:80").returncode == 0
    assert "is not published" in refusal("port", "rm", "web", f"{first}:80")
    assert len(hospes("port", "ls", "web").stdout.splitlines()) == 2


def test_a_card_keeps_its_address(words: list[str]) -> None:
    assert hospes(*words, "--name", "web", "--network", "nat").returncode == 0
    assert Store().find("web").spec.network.mac is not None
    assert hospes(*words, "--name", "lone").returncode == 0
    assert Store().find("lone").spec.network.mac is None


def test_a_machine_without_a_network(words: list[str]) -> None:
    assert hospes(*words, "--name", "lone").returncode == 0
    assert "start one with --network nat" in refusal("port", "add", "lone", "8080:80")
    assert "start one with --network nat" in refusal("port", "ls", "lone")
    assert "add --network nat" in refusal(*words, "--name", "x", "--publish", "8080:80")
    assert "does not say what to publish" in refusal("port", "add", "lone", "eighty")


def test_a_port_that_is_taken_at_the_start(words: list[str]) -> None:
    port = free_port()
    asked = ["--network", "nat", "--publish", f"{port}:80"]
    assert hospes(*words, "--name", "one", *asked).returncode == 0
    assert f"127.0.0.1:{port} cannot be published" in refusal(*words, "--name", "two", *asked)
    assert [machine.name for machine in Store().all()] == ["one"]
