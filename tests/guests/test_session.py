"""Commands over the agent's console, with a guest played by the test."""

import base64
import threading
from collections.abc import Callable

import pytest

from hospes.base.errors import HospesError
from hospes.guests.session import PENDING_BYTES, CommandTimeout, Session

GREETING = b"hospes-agent 1\n"


class Guest:
    """A console with the agent behind it: each line sent is given to `answer` in a thread."""

    def __init__(self, answer: Callable[["Guest", str, bytes], None] | None = None) -> None:
        self.lines: list[bytes] = []
        self.alive = True
        self.restarts = 0
        self.answer = answer
        self.room = threading.Event()
        self.mark = b""
        self.received = bytearray()
        self.threads: list[threading.Thread] = []
        self.session = Session(self, lambda: self.alive, lambda: self.restarts)

    def feed(self, data: bytes) -> int:
        taken = data[:1000]
        self.received += taken
        line, newline, command = bytes(self.received).partition(b"\n")
        length = int(line.split()[2]) if line.startswith(b"run ") and newline else 0
        if newline and len(command) == length:
            self.received.clear()
            self.lines.append(line)
            thread = threading.Thread(target=self._answer, args=(line, command[:-1]))
            self.threads.append(thread)
            thread.start()
        return len(taken)

    def room_again(self) -> None:
        self.room.set()

    def _answer(self, line: bytes, command: bytes) -> None:
        verb, _, rest = line.partition(b" ")
        if verb == b"run":
            self.mark = rest.partition(b" ")[0]
            self.send(self.mark + b" b\n")
            if self.answer:
                self.answer(self, "run", command)
        elif self.answer:
            self.answer(self, verb.decode(), rest)

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            taken = self.session.write(bytes(view[:65536]))
            view = view[taken:]
            if not taken:
                assert self.room.wait(10)
                self.room.clear()

    def finish(self, status: int) -> None:
        self.send(self.mark + b" x %d\n" % status)


def run(guest: Guest, command: str, seconds: float | None = 5) -> tuple[int, bytes, bytes]:
    output, errors = bytearray(), bytearray()
    code = guest.session.run(command, output.extend, errors.extend, seconds)
    return code, bytes(output), bytes(errors)


def echo(guest: Guest, verb: str, text: bytes) -> None:
    guest.send(b"out:" + text)
    guest.send(guest.mark + b" e " + base64.b64encode(b"err") + b"\n")
    guest.finish(7)


def test_a_command_with_output_errors_and_exit_code() -> None:
    guest = Guest(echo)
    guest.send(b"kernel noise\n" + GREETING)
    assert run(guest, "first") == (7, b"out:first", b"err")
    assert run(guest, "second") == (7, b"out:second", b"err")


def test_a_long_command_is_sent_in_pieces() -> None:
    guest = Guest(echo)
    guest.send(GREETING)
    assert run(guest, "x" * 50000)[1] == b"out:" + b"x" * 50000


def test_it_waits_for_the_guest_to_boot() -> None:
    guest = Guest(echo)
    threading.Timer(0.1, guest.send, (GREETING,)).start()
    assert run(guest, "late")[0] == 7


def test_a_guest_that_never_gets_ready() -> None:
    with pytest.raises(CommandTimeout, match=r"did not get ready in time \(0.1 s\)"):
        run(Guest(), "never", 0.1)


def test_a_flood_is_held_back_until_it_is_taken() -> None:
    flood = bytes(range(256)) * 40000
    most = 0

    def answer(guest: Guest, verb: str, text: bytes) -> None:
        guest.send(flood)
        guest.finish(0)

    guest = Guest(answer)
    guest.send(GREETING)
    output = bytearray()

    def take(data: bytes) -> None:
        nonlocal most
        most = max(most, len(data))
        output.extend(data)

    assert guest.session.run("flood", take, lambda data: None, 20) == 0
    assert output == flood
    assert most <= PENDING_BYTES


def test_a_flood_of_nothing_is_held_back_too() -> None:
    guest = Guest()
    guest.send(GREETING)
    guest.session._protocol.run("flood")
    nothing = (guest.session._protocol._mark + b" e \n") * 1000
    writes = 0
    while guest.session.write(nothing):
        writes += 1
        assert writes * len(nothing) < 4 * PENDING_BYTES


def test_what_a_broken_agent_says_is_not_kept() -> None:
    guest = Guest()
    guest.send(GREETING)
    guest.session._protocol.run("x")
    frames = (guest.session._protocol._mark + b" q\n") * 100
    for _ in range(10):
        assert guest.session.write(frames) == len(frames)
    assert len(guest.session._protocol._buffer) < len(frames)


def test_a_command_that_takes_too_long_is_killed() -> None:
    def answer(guest: Guest, verb: str, text: bytes) -> None:
        if verb == "signal":
            guest.finish(137)
        elif text != b"sleep":
            echo(guest, verb, text)

    guest = Guest(answer)
    guest.send(GREETING)
    with pytest.raises(CommandTimeout, match=r"'sleep' took longer than 0.1 s and was killed"):
        run(guest, "sleep", 0.1)
    assert guest.lines[-1] == b"signal KILL"
    assert run(guest, "next")[0] == 7


def test_the_machine_stops_before_and_during_a_command() -> None:
    def answer(guest: Guest, verb: str, text: bytes) -> None:
        guest.alive = False

    guest = Guest(answer)
    guest.send(GREETING)
    with pytest.raises(HospesError, match="stopped before the command had ended"):
        run(guest, "poweroff")
    guest = Guest()
    guest.alive = False
    with pytest.raises(HospesError, match="stopped before the command could run"):
        run(guest, "anything")


def test_the_guest_restarts_during_a_command_and_serves_the_next() -> None:
    def answer(guest: Guest, verb: str, text: bytes) -> None:
        if text == b"reboot":
            guest.restarts += 1
            guest.send(GREETING)
        else:
            echo(guest, verb, text)

    guest = Guest(answer)
    guest.send(GREETING)
    with pytest.raises(HospesError, match="restarted meanwhile"):
        run(guest, "reboot")
    assert run(guest, "next")[0] == 7


def test_a_broken_agent_is_one_sentence() -> None:
    def answer(guest: Guest, verb: str, text: bytes) -> None:
        guest.send(guest.mark + b" q\n")

    guest = Guest(answer)
    guest.send(GREETING)
    with pytest.raises(HospesError, match="cannot be spoken to"):
        run(guest, "x")


def test_poweroff_is_asked_for() -> None:
    guest = Guest()
    guest.session.poweroff()
    assert guest.lines == [b"poweroff"]
