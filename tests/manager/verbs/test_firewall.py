"""`hospes firewall`: shown and changed, whether the machine runs or not, and kept."""

import json
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


def rows(*more: str) -> list[list[str]]:
    """The table without its head, and without what is always there."""
    done = hospes("firewall", "web", *more)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split("  ") for line in done.stdout.splitlines()]
    assert lines[0][0] == "DIRECTION"
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines[1:]]
    return [line[:3] for line in cells if line[0] != "in/out"]


def test_it_is_changed_and_kept(words: list[str]) -> None:
    done = hospes(*words, "--name", "web", "--network", "nat", "--firewall", "deny:in")
    assert (done.returncode, done.stderr) == (0, "")
    assert rows() == [["in", "deny", "(all else)"], ["out", "allow", "(all else)"]]
    asked = ["--deny", "in", "--allow", "in:tcp:80", "--allow", "out:*.internal,out:tcp:443"]
    wanted = [
        ["in", "allow", "tcp:80"],
        ["in", "deny", "(all else)"],
        ["out", "allow", "*.internal"],
        ["out", "allow", "tcp:443"],
        ["out", "allow", "(questions for allowed names)"],
        ["out", "deny", "(all else)"],
        ["out", "limit", "10Mbit/s"],
    ]
    assert rows(*asked, "--rate", "out:10M", "--list") == wanted
    assert hospes("stop", "-f", "web").returncode == 0
    assert rows() == wanted
    assert hospes("firewall", "web", "--remove", "in:tcp:80").returncode == 0
    assert hospes("start", "web").returncode == 0
    assert rows() == wanted[1:]
    told = json.loads(hospes("firewall", "web", "--json").stdout)
    assert told["firewall"] == [
        "deny:in", "allow:out:*.internal", "allow:out:tcp:443", "rate:out:10M",
    ]  # fmt: skip
    assert told["counts"][0] == {
        "direction": "in", "verdict": "deny", "rule": "(all else)",
        "packets": 0, "bytes": 0, "dropped": 0,
    }  # fmt: skip


def test_it_comes_and_goes(words: list[str]) -> None:
    assert hospes(*words, "--name", "web", "--network", "nat").returncode == 0
    none = hospes("firewall", "web")
    assert (none.stdout, none.returncode) == ("", 0)
    assert "has no firewall; --deny in gives it one" in none.stderr
    assert json.loads(hospes("firewall", "web", "--json").stdout)["firewall"] is None
    assert rows("--deny", "out", "--list") == [
        ["in", "deny", "(all else)"], ["out", "deny", "(all else)"],
    ]  # fmt: skip
    assert rows("--reset", "--allow", "in", "--list")[0] == ["in", "allow", "(all else)"]
    assert hospes("firewall", "web", "--reset").returncode == 0
    assert Store().find("web").spec.network.firewall is None
    assert "no firewall" in hospes("firewall", "web").stderr


def test_what_cannot_be(words: list[str]) -> None:
    assert hospes(*words, "--name", "lone").returncode == 0
    assert "has no network for a firewall" in refusal("firewall", "lone", "--deny", "in")
    assert "has no network for a firewall" in refusal("firewall", "lone")
    assert hospes("rm", "-f", "lone").returncode == 0
    assert "there is no machine 'nobody'" in refusal("firewall", "nobody").lower()
    assert "add --network nat" in refusal(*words, "--name", "x", "--firewall", "deny:in")
    nat = [*words, "--name", "web", "--network", "nat"]
    assert "write allow:in:tcp:80" in refusal(*nat, "--firewall", "in:tcp:80")
    assert hospes(*nat).returncode == 0
    assert "write the port 22" in refusal("firewall", "web", "--allow", "in:tcp:ssh")
    both = refusal("firewall", "web", "--allow", "in,out", "--deny", "out")
    assert "out is both denied and allowed; leave one of them out" in both.lower()
    assert "has no rules to remove" in refusal("firewall", "web", "--remove", "in")
    assert Store().find("web").spec.network.firewall is None


def test_a_port_that_is_published_and_closed_is_told(words: list[str]) -> None:
    port = free_port()
    nat = [*words, "--name", "web", "--network", "nat", "--publish", f"{port}:80"]
    assert hospes(*nat, "--firewall", "deny:in").returncode == 0
    told = hospes("inspect", "web").stdout
    assert f"port {port} of 127.0.0.1 leads to a port that the firewall keeps closed" in told
