"""Real guests in processes of their own: commands, files, an orderly end, and disks that stay."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.ui.programs import command, hospes
from tests.ui.test_foreground import DEADLINE_S, on_a_terminal, read_until
from tests.worker.homes import own_home

MOUNT = "mount -t ext4 /dev/vda /mnt"
pytestmark = [pytest.mark.guest, pytest.mark.usefixtures("tiny")]


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A machine that runs during all tests of this module."""
    with (
        pytest.MonkeyPatch.context() as patch,
        own_home(tmp_path_factory.mktemp("home"), patch),
    ):
        done = hospes("run", "--name", "web", "-d")
        assert (done.returncode, done.stdout) == (0, "web\n")
        yield "web"


def in_guest(*words: str) -> str:
    done = hospes("exec", "web", "--", *words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_output_errors_and_exit_code(web: str) -> None:
    done = hospes("exec", web, "--", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")
    assert in_guest("printf", "%s|", "a  b", "$HOME") == "a  b|$HOME|"


def test_much_output_is_complete(web: str) -> None:
    assert len(in_guest("head -c 3000000 /dev/zero | tr '\\0' x")) == 3_000_000


def test_what_its_agent_cannot_do(web: str) -> None:
    done = hospes("exec", "-t", web, "--", "ls")
    assert done.returncode == 1
    assert "without input or a terminal" in done.stderr


def test_one_command_at_a_time_and_none_left_behind(web: str) -> None:
    words = command("exec", web, "--", "echo begun; sleep 1000")
    with subprocess.Popen(words, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"begun\n"
        refused = hospes("exec", web, "--", "true")
        assert refused.returncode == 1
        assert "Someone else uses the port 'agent'" in refused.stderr
        first.kill()
    assert in_guest("ps | grep -c '[s]leep 1000' || true") == "0\n"
    with subprocess.Popen(words, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"begun\n"
        first.send_signal(signal.SIGINT)
        assert first.wait(DEADLINE_S) == 130
    assert in_guest("ps | grep -c '[s]leep 1000' || true") == "0\n"


def test_files_there_and_back(web: str, tmp_path: Path) -> None:
    source = tmp_path / "tree"
    (source / "folder").mkdir(parents=True)
    (source / "folder" / "script").write_bytes(os.urandom(200_000))
    (source / "folder" / "script").chmod(0o751)
    (source / "link").symlink_to("folder/script")
    assert hospes("cp", str(source), "web:/root").returncode == 0
    assert in_guest("stat -c '%a %s %u' /root/tree/folder/script") == "751 200000 0\n"
    assert hospes("cp", "web:/root/tree", str(tmp_path / "back")).returncode == 0
    back = tmp_path / "back"
    assert (back / "folder" / "script").read_bytes() == (source / "folder" / "script").read_bytes()
    assert (back / "folder" / "script").stat().st_mode & 0o777 == 0o751
    assert os.readlink(back / "link") == "folder/script"
    assert sorted(os.listdir(tmp_path)) == ["back", "tree"]
    assert hospes("cp", str(source / "folder" / "script"), "web:/root/other").returncode == 0
    assert in_guest("ls /root; ls -A /tmp | grep hospes || true") == "other\ntree\n"


def test_what_is_in_a_directory(web: str, tmp_path: Path) -> None:
    (tmp_path / "tree" / "folder").mkdir(parents=True)
    (tmp_path / "back").mkdir()
    in_guest("mkdir /opt")
    assert hospes("cp", f"{tmp_path}/tree/.", "web:/opt").returncode == 0
    assert in_guest("ls /opt") == "folder\n"
    assert hospes("cp", "web:/opt/.", f"{tmp_path}/back/").returncode == 0
    assert os.listdir(tmp_path / "back") == ["folder"]
    done = hospes("cp", "web:/etc/passwd", f"{tmp_path}/none/")
    assert (done.returncode, "make it first" in done.stderr) == (1, True)
    assert sorted(os.listdir(tmp_path)) == ["back", "tree"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["web:/nothing", "."], "No such file or directory"),
        (["/nothing", "web:/root"], "There is no /nothing to copy"),
        (["/etc/hostname", "web:/none/there"], "There is no directory /none in the guest"),
        (["/etc/hostname", "/tmp/there"], "one of the two has to be in a machine"),
    ],
)
def test_copies_that_cannot_be(web: str, words: list[str], sentence: str) -> None:
    done = hospes("cp", *words)
    assert done.returncode == 1
    assert sentence.lower() in done.stderr.lower()
    assert done.stderr.count("\n") == 1


def test_a_shell_that_is_left_and_found_again(web: str) -> None:
    with on_a_terminal("attach", web) as (process, ours, _):
        read_until(ours, b"tiny:~# ")
        os.write(ours, b"export HERE=$((6 * 7))\n")
        read_until(ours, b"tiny:~# ")
        os.write(ours, b"\x1d")
        assert process.wait(DEADLINE_S) == 0
    with on_a_terminal("attach", web) as (_, ours, _):
        read_until(ours, b"tiny:~# ")
        os.write(ours, b"echo =$HERE\n")
        read_until(ours, b"\n=42\r\n")


def test_an_end_in_order_and_a_disk_that_stays(
    tiny: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with own_home(tmp_path / "home", monkeypatch):
        hospes("run", "--name", "keeper", "-d", "--disk", "size=64M")
        line = f"mke2fs /dev/vda >/dev/null && {MOUNT} && echo x >/mnt/f"
        done = hospes("exec", "keeper", "--", line)
        assert (done.returncode, done.stderr) == (0, "")
        done = hospes("stop", "keeper")
        assert (done.returncode, done.stderr) == (0, "")
        assert "exit status: 0" in hospes("inspect", "keeper").stdout
        hospes("start", "keeper")
        assert hospes("exec", "keeper", "--", f"{MOUNT}; cat /mnt/f").stdout == "x\n"
        done = hospes("exec", "keeper", "--", "reboot -f; sleep 100")
        assert done.returncode == 1
        assert "restarted meanwhile" in done.stderr
        assert hospes("exec", "keeper", "--", "echo again").stdout == "again\n"
