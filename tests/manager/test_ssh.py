"""How the host's own ssh is called, and what a guest is told so that it lets it in."""

import base64
import os
import shutil
import stat
from pathlib import Path

import pytest

from hospes.base.errors import HospesError
from hospes.manager.guest_agent import Command
from hospes.manager.manager import Manager
from hospes.manager.ssh import LISTEN, SshAgent, server_words
from hospes.manager.store import MachineDirectory

LINE_BYTES = 300


class Terminal:
    """Of no use to ssh, which has the real one."""


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What programs called ssh and scp are given; they end with exit code 3."""
    programs, said = tmp_path / "bin", tmp_path / "said"
    programs.mkdir()
    for name in ("ssh", "scp"):
        program = programs / name
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{said}\nexit 3\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return said


@pytest.fixture
def agent(tmp_path: Path) -> SshAgent:
    directory = tmp_path / "my machines" / "web"
    directory.mkdir(parents=True)
    return SshAgent(MachineDirectory(directory), Manager())


def run(agent: SshAgent, *words: str, **wishes) -> int:
    return agent.run(Command(words, **wishes), Terminal())


def test_the_exit_code_is_passed_on(agent, said) -> None:
    assert run(agent, "exit 3") == 3


@pytest.mark.parametrize(
    ("words", "wishes", "last"),
    [
        ((), {"input": True}, ["root@hospes"]),
        (("ls | wc",), {}, ["-T", "-n", "root@hospes", "ls | wc"]),
        (("echo", "a b"), {"input": True}, ["-T", "root@hospes", "echo 'a b'"]),
        (("top",), {"input": True, "terminal": True}, ["-tt", "root@hospes", "top"]),
        (("id",), {"user": "ann"}, ["-T", "-n", "ann@hospes", "id"]),
    ],
)
def test_what_ssh_is_told_to_do(agent, said, words, wishes, last) -> None:
    run(agent, *words, **wishes)
    lines = said.read_text().splitlines()
    assert lines[-len(last) :] == last
    assert "-i" not in lines


def test_how_ssh_finds_the_guest(agent, said, tmp_path) -> None:
    (tmp_path / "my machines/web/ssh_key").touch()
    run(agent, "true")
    lines = said.read_text().splitlines()
    assert lines[:2] == ["-i", str(tmp_path / "my machines/web/ssh_key")]
    options = dict(line.split("=", 1) for line in lines if "=" in line)
    assert options["ProxyCommand"].endswith("-P -m hospes vsock --fdpass web 22")
    assert options["ProxyUseFdpass"] == "yes"
    assert options["UserKnownHostsFile"] == f'"{tmp_path}/my machines/web/known_hosts"'


def test_copies_are_scps(agent, said) -> None:
    with pytest.raises(HospesError, match="the copy has failed"):
        agent.copy_in("a:b", "/srv")
    assert said.read_text().splitlines()[-5:] == ["-r", "-p", "-q", "./a:b", "root@hospes:/srv"]


def test_without_ssh(agent, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(HospesError, match="no ssh; install the package openssh-client"):
        run(agent, "true")


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen")
def test_a_guest_is_told_the_machines_key(tmp_path) -> None:
    words = server_words(tmp_path)
    assert words[:-1] == [*LISTEN]
    name, _, content = words[-1].partition(":")
    assert name == "systemd.set_credential_binary=ssh.authorized_keys.root"
    assert base64.b64decode(content) == (tmp_path / "ssh_key.pub").read_bytes()
    assert stat.S_IMODE((tmp_path / "ssh_key").stat().st_mode) == 0o600
    assert server_words(tmp_path) == words
    assert len(" ".join(words)) < LINE_BYTES


def test_without_ssh_keygen_there_is_no_key(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert server_words(tmp_path) == [*LISTEN]
