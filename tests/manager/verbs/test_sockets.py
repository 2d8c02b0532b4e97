"""The vsock of machines that are kept, with bare-metal guests, which have no driver for it."""

import json
from pathlib import Path

import pytest
from tests.ui.programs import IDLE, bare_metal, hospes

from hospes.manager.store import Store


@pytest.fixture
def idle(tmp_path: Path) -> list[str]:
    program = bare_metal(tmp_path / "idle.bin", IDLE)
    return ["--bios", str(program), "--engine", "reference", "--memory", "16M"]


def test_every_kept_machine_has_an_address_of_its_own(home: Path, idle: list[str]) -> None:
    for name in ("web", "db"):
        assert hospes("run", "--name", name, "-d", *idle).returncode == 0
    one, other = (Store().find(name) for name in ("web", "db"))
    assert one.spec.vsock_cid != other.spec.vsock_cid
    assert str(one.spec.vsock_cid) in hospes("inspect", "web").stdout
    assert (one.path / "vsock.sock").stat().st_mode & 0o777 == 0o600
    assert hospes("stop", "--force", "web").returncode == 0
    assert not (one.path / "vsock.sock").exists()
    cid = one.spec.vsock_cid
    assert hospes("start", "web").returncode == 0
    assert Store().find("web").spec.vsock_cid == cid
    # Long after its start, nobody is waited for.
    started = one.path / "started.json"
    started.write_text(json.dumps({**json.loads(started.read_text()), "when_s": 0.0}))
    done = hospes("vsock", "web", "22")
    assert (done.returncode, done.stdout) == (1, "")
    assert "obody in the machine 'web' listens on vsock port 22" in done.stderr


def test_refusals(home: Path, idle: list[str]) -> None:
    for words, sentence in (
        (("run", "--name", "web", "--vsock", "door", *idle), "leave out --vsock door"),
        (("vsock", "web", "22"), "here is no machine 'web'"),
        (("ssh", "web"), "here is no machine 'web'"),
    ):
        done = hospes(*words)
        assert done.returncode == 1
        assert sentence in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_machine_in_the_foreground_has_a_door_where_it_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("precious")
    program = bare_metal(tmp_path / "idle.bin", IDLE)
    done = hospes("run", "--bios", str(program), "--vsock", str(tmp_path / "taken"))
    assert done.returncode == 1
    assert "taken cannot be made" in done.stderr
    assert (tmp_path / "taken").read_text() == "precious"
