"""Commands started by the real agent on this host: streams, exit codes, terminals, ends."""

import contextlib
import os
import pwd
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.guests.qga_host import DIRECTORY, StandInPorts
from tests.waiting import eventually

from hospes.base.errors import HospesError
from hospes.guests.execution.command import Command, Terminal
from hospes.guests.execution.joining import start
from hospes.guests.execution.running import Execution, Input, launch
from hospes.guests.session import CommandTimeout

SECONDS = 20.0


class Ran:
    """What came of a command."""

    def __init__(self) -> None:
        self.output, self.errors = bytearray(), bytearray()
        self.code: int | None = None


def begin(ports: StandInPorts, command: Command, ran: Ran, source: Input | None) -> Execution:
    return launch(
        ports, command, source=source, on_output=ran.output.extend, on_error=ran.errors.extend,
        directory=DIRECTORY,
    )  # fmt: skip


def run(ports: StandInPorts, *argv: str, source: Input | None = None, **wanted: object) -> Ran:
    ran = Ran()
    with begin(ports, Command(argv, **wanted), ran, source) as execution:  # type: ignore[arg-type]
        ran.code = execution.run(SECONDS)
    assert ports.free()
    return ran


def processes(word: str) -> list[int]:
    """This host's processes that have the word in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            text = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            if word in text:
                found.append(int(path.parent.name))
    return found


def test_streams_and_exit_code(ports: StandInPorts) -> None:
    ran = run(ports, "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (ran.code, bytes(ran.output), bytes(ran.errors)) == (7, b"out\n", b"err\n")


def test_a_signal_is_128_more(ports: StandInPorts) -> None:
    assert run(ports, "sh", "-c", "kill -9 $$").code == 137
    assert run(ports, "sh", "-c", "kill -INT $$").code == 130


def test_arguments_are_not_read_by_a_shell(ports: StandInPorts) -> None:
    words = ["a b", "'", '"', "$HOME", "`id`", "\\", "*", "\n", "é", "-n", ""]
    assert bytes(run(ports, "printf", "%s|", *words).output).decode() == "|".join([*words, ""])
    assert run(ports, "a=b").code == 127


def test_binary_data_both_ways_and_nothing_lost(ports: StandInPorts) -> None:
    data = os.urandom(3_000_000) + b"\xff" * 1000 + bytes(range(256)) * 1000
    pieces = (data[at : at + 77_777] for at in range(0, len(data), 77_777))
    ran = run(ports, "sh", "-c", "tee /dev/stderr", source=pieces)
    assert ran.code == 0
    assert bytes(ran.output) == data
    assert bytes(ran.errors) == data


def test_input_from_a_file_and_from_a_pipe(ports: StandInPorts, tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"x" * 100_000)
    with path.open("rb") as file:
        assert run(ports, "wc", "-c", source=file.fileno()).output.strip() == b"100000"
    reader, writer = os.pipe()
    threading.Timer(0.2, lambda: (os.write(writer, b"late\n"), os.close(writer))).start()
    assert run(ports, "cat", source=reader).output == b"late\n"
    os.close(reader)


def test_no_input_is_the_end_at_once(ports: StandInPorts) -> None:
    assert run(ports, "cat").code == 0
    assert run(ports, "cat", source=iter(())).code == 0


def test_input_that_nobody_reads(ports: StandInPorts) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(65536)

    assert run(ports, "true", source=endless()).code == 0
    assert run(ports, "head", "-c", "10", source=endless()).output == bytes(10)


def test_an_input_that_stays_silent_does_not_hold_up_the_end(ports: StandInPorts) -> None:
    reader, writer = os.pipe()
    assert run(ports, "true", source=reader).code == 0
    os.close(reader)
    os.close(writer)


def test_a_reader_that_waits_makes_the_command_wait(ports: StandInPorts) -> None:
    ran = Ran()
    with begin(ports, Command(["yes"]), ran, None) as execution:
        execution.step(5)
        time.sleep(0.5)
        for _ in range(20):
            execution.step(1)
        assert len(ran.output) <= 21 << 16
        execution.signal("TERM")
        assert execution.run(SECONDS) == 143


def test_surroundings(ports: StandInPorts) -> None:
    ran = run(ports, "sh", "-c", "echo $A; pwd; echo $LANG $TERM", environment={"A": "b c"},
              directory="/usr")  # fmt: skip
    assert bytes(ran.output) == b"b c\n/usr\nC.UTF-8\n"
    home = pwd.getpwuid(os.getuid()).pw_dir
    assert run(ports, "sh", "-c", "pwd; echo $HOME").output == f"{home}\n{home}\n".encode()
    ran = run(ports, "true", directory="/no/such")
    assert ran.code == 125
    assert b"/no/such" in ran.errors


def test_a_program_that_is_not_there(ports: StandInPorts) -> None:
    ran = run(ports, "no-such-program")
    assert ran.code == 127
    assert b"no-such-program" in ran.errors


@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes another user")
def test_another_user(ports: StandInPorts) -> None:
    script = "id -un; id -gn; echo $HOME $USER; echo err >/dev/stderr; cat /dev/stdin"
    ran = run(ports, "sh", "-c", script, user="nobody", source=iter([b"input"]))
    assert bytes(ran.output) == b"nobody\nnogroup\n/nonexistent nobody\ninput"
    assert bytes(ran.errors) == b"err\n"
    assert os.stat("/dev/null").st_uid == 0


def test_a_user_who_does_not_exist(ports: StandInPorts) -> None:
    with pytest.raises(HospesError, match=r"'ls' cannot be started in the guest: .*no such user"):
        run(ports, "ls", user="no-such-user")
    assert ports.free()


def test_the_command_leads_a_process_group_with_no_signal_ignored(ports: StandInPorts) -> None:
    script = "echo $$; cut -d ' ' -f 5,6 /proc/$$/stat; grep -E 'SigIgn|SigBlk' /proc/$$/status"
    lines = bytes(run(ports, "bash", "-c", script).output).decode().split("\n")
    assert lines[1] == f"{lines[0]} {lines[0]}"
    # The C library keeps 32 and 33 for itself, and ignores them in what posix_spawn starts.
    masks = [int(line.split()[1], 16) & ~(0b11 << 31) for line in lines[2:4]]
    assert masks == [0, 0]


def test_only_its_three_streams_are_open(ports: StandInPorts) -> None:
    ran = run(ports, "ls", "/proc/self/fd", source=iter([b"x"]))
    assert ran.output.split() == [b"0", b"1", b"2", b"3"]  # the last is the directory itself


def test_a_process_left_behind_holds_up_the_end_only_by_its_output(ports: StandInPorts) -> None:
    began = time.monotonic()
    assert run(ports, "sh", "-c", "sleep 1 & echo x").code == 0
    assert time.monotonic() - began >= 1
    began = time.monotonic()
    assert run(ports, "sh", "-c", "sleep 3 >/dev/null 2>&1 & echo x").code == 0
    assert time.monotonic() - began < 2.5


def test_a_time_out_kills_the_whole_group(ports: StandInPorts) -> None:
    ran = Ran()
    command = Command(["sh", "-c", "echo begun; sleep 98765 & sleep 98765"])
    with (
        begin(ports, command, ran, None) as execution,
        pytest.raises(CommandTimeout, match=r"took longer than 0\.7 s and was killed"),
    ):
        execution.run(0.7)
    assert ran.output == b"begun\n"
    assert eventually(lambda: not processes("sleep 98765"), SECONDS)


def test_a_client_that_leaves_hangs_up_on_the_command(ports: StandInPorts, tmp_path: Path) -> None:
    told = tmp_path / "told"
    script = f"trap 'echo hung up >{told}; exit' HUP; echo go; exec 2>/dev/null\n"
    script += "while :; do sleep 0.05; done"
    ran = Ran()
    with begin(ports, Command(["sh", "-c", script]), ran, iter([b"x"])) as execution:
        while not ran.output:
            execution.step(1)
    assert eventually(lambda: told.exists() and told.read_text() == "hung up\n", SECONDS)
    assert eventually(lambda: not processes(execution._joined.mark), SECONDS)


def test_a_command_that_ignores_hanging_up_loses_its_streams(ports: StandInPorts) -> None:
    ran = Ran()
    script = "trap '' HUP PIPE; echo go; while echo; do sleep 0.05; done; : 54321"
    with begin(ports, Command(["sh", "-c", script]), ran, None) as execution:
        while not ran.output:
            execution.step(1)
        assert processes("54321")
    assert eventually(lambda: not processes("54321"), SECONDS)


def test_eight_at_once(ports: StandInPorts) -> None:
    results: dict[int, bool] = {}

    def one(number: int) -> None:
        ran, data = Ran(), b"%d" % number * 200_000
        command = Command(["sh", "-c", f"cat; exit {number}"])
        with begin(ports, command, ran, iter([data])) as execution:
            results[number] = execution.run(SECONDS) == number and ran.output == data

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * SECONDS)
    assert results == dict.fromkeys(range(8), True)


def test_all_streams_in_use(ports: StandInPorts) -> None:
    held = [ports.open_port(name) for name in ports.stream_names()[1:]]
    with pytest.raises(HospesError, match="All 24 streams of the guest are in use"):
        run(ports, "true")
    for connection in held:
        connection.close()


def test_a_port_that_is_held_in_the_guest_is_passed_over(
    ports: StandInPorts, tmp_path: Path
) -> None:
    """bash says the same of /dev/tcp and of a device that is open already: too many open files."""
    script = tmp_path / "bash"
    script.write_text(
        f"#!/bin/sh\n[ -e {tmp_path}/once ] || {{ touch {tmp_path}/once; "
        f"echo '{DIRECTORY}/1: Too many open files' >&2; exit 1; }}\nexec /bin/bash \"$@\"\n"
    )
    script.chmod(0o755)
    command = Command(["true"])
    assert ports.free()
    original = start.__globals__["starting"]

    def starting(*arguments: object) -> list[str]:
        words = original(*arguments)
        words[2] = str(script)
        return list(words)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(start.__globals__, "starting", starting)
        joined = start(ports, command, False, SECONDS, DIRECTORY)
    with Execution(command, joined, None, print, print) as execution:
        assert execution.run(SECONDS) == 0
    names = ports.stream_names()
    assert joined.output is ports.held[names[2]]


def test_a_guest_that_goes_is_told_of(ports: StandInPorts) -> None:
    ran = Ran()
    with begin(ports, Command(["sh", "-c", "echo go; sleep 87654"]), ran, None) as execution:
        while not ran.output:
            execution.step(1)
        gone = {*processes(execution._joined.mark), *processes("sleep 87654")}
        # Stopped before any is killed, for one that lives on tells what became of another.
        for word in (signal.SIGSTOP, signal.SIGKILL):
            for process in gone:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, word)
        with pytest.raises(HospesError, match=r"The end of the command .* is not known"):
            execution.run(SECONDS)


def test_a_supervisor_that_is_killed_at_once_is_told_of(
    ports: StandInPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hospes.guests.execution.running.START_SECONDS", 0.2)
    monkeypatch.setattr("hospes.guests.execution.command.SUPERVISOR", "exit 0")
    with (
        begin(ports, Command(["true"]), Ran(), None) as execution,
        pytest.raises(HospesError, match="'true' did not start; something in the guest ends"),
    ):
        execution.run(SECONDS)


def test_an_unknown_signal(ports: StandInPorts) -> None:
    with begin(ports, Command(["sleep", "60"]), Ran(), None) as execution:
        with pytest.raises(HospesError, match="'NO' is not one of"):
            execution.signal("NO")
        execution.signal("TERM")
        assert execution.run(SECONDS) == 143


def test_a_terminal(ports: StandInPorts) -> None:
    script = "test -t 0 && test -t 1 && test -t 2 && stty size && echo $TERM; exit 3"
    ran = run(ports, "sh", "-c", script, terminal=Terminal(31, 101, "vt220"))
    assert (ran.code, bytes(ran.output)) == (3, b"31 101\r\nvt220\r\n")
    assert not ran.errors


class Typist:
    """Types on a terminal as an open file of the host: keys, each after what is to be seen."""

    def __init__(self, ran: Ran, *steps: tuple[bytes, bytes]) -> None:
        self.reader, writer = os.pipe()

        def type_all() -> None:
            for seen, keys in steps:
                eventually(lambda seen=seen: seen in ran.output)
                os.write(writer, keys)
            eventually(lambda: ran.code is not None)
            os.close(writer)

        self.thread = threading.Thread(target=type_all, daemon=True)
        self.thread.start()


def on_terminal(ports: StandInPorts, script: str, *steps: tuple[bytes, bytes]) -> Ran:
    ran = Ran()
    typist = Typist(ran, *steps)
    command = Command(["bash", "-c", script], terminal=Terminal())
    with begin(ports, command, ran, typist.reader) as execution:
        ran.code = execution.run(SECONDS)
    typist.thread.join()
    os.close(typist.reader)
    return ran


def test_typing_on_a_terminal(ports: StandInPorts) -> None:
    ran = on_terminal(ports, "read -p 'name? ' x; echo \"<$x>\"", (b"name? ", b"some\x7fe one\r"))
    assert ran.code == 0
    assert ran.output.endswith(b"<some one>\r\n")


def test_keys_that_are_signals(ports: StandInPorts) -> None:
    assert on_terminal(ports, "echo go; sleep 60", (b"go", b"\x03")).code == 130
    script = "trap 'echo stopped; exit 9' INT; echo go; read x"
    ran = on_terminal(ports, script, (b"go", b"\x03"))
    assert ran.code == 9
    assert b"stopped" in ran.output


def test_the_end_of_the_input_is_typed(ports: StandInPorts) -> None:
    ran = run(ports, "cat", terminal=Terminal(), source=iter([b"line\r"]))
    assert ran.code == 0
    assert ran.output.count(b"line") == 2


def test_a_raw_terminal_passes_every_byte(ports: StandInPorts) -> None:
    every = bytes(range(256))
    script = "stty raw -echo; echo go; head -c 256 | od -An -v -tx1"
    ran = on_terminal(ports, script, (b"go", every))
    assert bytes.fromhex(ran.output.partition(b"go")[2].decode()) == every


def test_a_terminal_that_changes_its_size(ports: StandInPorts) -> None:
    ran = Ran()
    script = "trap 'stty size; exit' WINCH; echo go; while :; do sleep 0.05; done"
    command = Command(["sh", "-c", script], terminal=Terminal())
    with begin(ports, command, ran, None) as execution:
        while b"go" not in ran.output:
            execution.step(1)
        execution.resize(44, 155)
        assert execution.run(SECONDS) == 0
        with pytest.raises(HospesError, match="does not exist"):
            execution.resize(-1, 5)
    assert ran.output.endswith(b"44 155\r\n")


@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes another user")
def test_the_terminal_belongs_to_the_user(ports: StandInPorts) -> None:
    """Also to one whose shell refuses to run anything."""
    script = "id -un; stat -c %U $(tty); echo >$(tty) ok; echo $SHELL"
    ran = run(ports, "sh", "-c", script, terminal=Terminal(), user="nobody")
    assert ran.output.split() == [b"nobody", b"nobody", b"ok", b"/usr/sbin/nologin"]


def test_leaving_a_terminal_hangs_up(ports: StandInPorts) -> None:
    ran = Ran()
    command = Command(["bash", "-c", "echo go; sleep 76543"], terminal=Terminal())
    with begin(ports, command, ran, None) as execution:
        while b"go" not in ran.output:
            execution.step(1)
    assert eventually(lambda: not processes("sleep 76543"), SECONDS)
    assert eventually(lambda: not processes(execution._joined.mark), SECONDS)


def test_a_terminal_is_killed_in_time(ports: StandInPorts) -> None:
    with (
        begin(ports, Command(["sleep", "65432"], terminal=Terminal()), Ran(), None) as execution,
        pytest.raises(CommandTimeout),
    ):
        execution.run(1)
    assert eventually(lambda: not processes("sleep 65432"), SECONDS)
