"""A whole Debian with openssh-server and no network, reached by `hospes ssh` over vsock."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.guest import images
from tests.ui.programs import command
from tests.worker.homes import own_home

pytestmark = [pytest.mark.guest, pytest.mark.soak]

IMAGE: Final = "sshtest"
SECONDS: Final = 1800


@pytest.fixture(scope="module")
def image() -> str:
    """Built once into the cache, like the others: some minutes."""
    for program in ("ssh", "ssh-keygen", "scp"):
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program} on this host")
    return images.image(IMAGE, ["openssh-server"]).manifest.name


@pytest.fixture
def box(image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with own_home(tmp_path / "home", monkeypatch):
        assert run("run", "--name", "box", "-d", image).returncode == 0
        yield "box"


def run(*words: str, typed: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command(*words), input=typed, capture_output=True, timeout=SECONDS, check=False
    )


def test_commands_input_and_exit_codes(box: str) -> None:
    first = run("ssh", box, "--", "echo out; echo err >&2; exit 7")
    assert (first.returncode, first.stdout) == (7, b"out\n")
    assert first.stderr.splitlines()[-1] == b"err"
    assert run("ssh", box, "--", "echo", "a  b").stdout == b"a  b\n"
    assert run("ssh", box, "--", "ip -o link | wc -l").stdout == b"1\n", "there is only lo"
    data = os.urandom(1 << 20)
    echoed = run("ssh", box, "--", "cat", typed=data)
    assert (echoed.stdout, echoed.stderr) == (data, b"")
    assert run("ssh", "--user", "nobody", box, "--", "true").returncode == 255
    assert run("ssh", box, "--", "systemctl --failed --no-legend").stdout == b""


def test_a_plain_proxy_command(box: str) -> None:
    """Whoever has ssh settings of their own may use `hospes vsock` in them."""
    run("ssh", box, "--", "true")
    with subprocess.Popen(
        command("vsock", box, "22"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as bridge:
        assert bridge.stdout is not None
        assert bridge.stdout.readline().startswith(b"SSH-2.0-OpenSSH")
        bridge.send_signal(signal.SIGHUP)
    assert bridge.returncode == -signal.SIGHUP
