"""A whole Debian in the foreground of a terminal: logging in, poweroff, Ctrl-], a user's shell."""

import os
import select
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.guest.debian import BOOT_SECONDS, PATIENT
from tests.guest.login import PROMPT, Login
from tests.ui.test_foreground import on_a_terminal

pytestmark = [pytest.mark.guest, pytest.mark.soak, pytest.mark.usefixtures("debian")]

POLL_SECONDS = 0.1


@contextmanager
def at_terminal(*words: str) -> Iterator[tuple[subprocess.Popen[bytes], Login]]:
    """The program on a terminal, and who sits at it."""
    shown, over = bytearray(), threading.Event()
    with on_a_terminal(*words) as (process, ours, _):

        def look() -> None:
            while not over.is_set():
                if select.select([ours], [], [], POLL_SECONDS)[0]:
                    shown.extend(os.read(ours, 4096))

        reader = threading.Thread(target=look)
        reader.start()
        try:
            yield (
                process,
                Login(
                    lambda: shown.decode("utf-8", "replace"),
                    lambda text: os.write(ours, text.encode()),
                ),
            )
        finally:
            over.set()
            reader.join()


def test_poweroff_at_the_prompt_ends_the_process_with_0() -> None:
    with at_terminal("run", "debian", "--append", PATIENT) as (process, login):
        login.enter(BOOT_SECONDS)
        assert login.run("id -un; hostname; systemctl is-system-running --wait") == (
            0,
            "root\ndebian\nrunning",
        )
        login.type("poweroff\n")
        assert process.wait(BOOT_SECONDS) == 0
        assert "reboot: Power down" in login.output()


def test_leaving_while_it_boots() -> None:
    with at_terminal("run", "debian", "--append", PATIENT) as (process, login):
        login.until("root: (clean|recovering)", BOOT_SECONDS)
        login.type("\x1d")
        assert process.wait(BOOT_SECONDS) == 0
        assert "login:" not in login.output()


def test_a_users_shell_and_its_exit_code() -> None:
    with at_terminal("run", "debian", "--append", PATIENT, "--user", "root") as (process, login):
        login.until(f"{PROMPT}$", BOOT_SECONDS)
        assert login.run("id -un; tty; pwd; echo $TERM") == (
            0,
            f"root\n/dev/pts/0\n/root\n{os.environ.get('TERM') or 'xterm-256color'}",
        )
        login.type("exit 7\n")
        assert process.wait(BOOT_SECONDS) == 7
