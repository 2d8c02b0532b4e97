"""A machine in the foreground of a terminal, or between pipes."""

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from hospes.base.errors import HospesError
from hospes.ui.piped import PipedInput
from hospes.ui.sentence import sentence
from hospes.ui.signals import Deferred
from hospes.ui.terminal import LeaveKey, RawTerminal

if TYPE_CHECKING:
    from socket import socket

    from hospes.api import Ending, Machine


class Foreground:
    """The process's own standard input, output and error."""

    def __init__(self) -> None:
        self._raw = False

    def attach(self, vm: "Machine") -> "Ending":
        """Run the machine here, its console on standard input and output.

        On a terminal every key but Ctrl-] goes to the guest; Ctrl-] ends the run.
        """
        source, drain = sys.stdin.fileno(), sys.stdout.fileno()
        with ExitStack() as stack:
            if os.isatty(source):
                print("Ctrl-] leaves the guest.", file=sys.stderr, flush=True)
                stack.callback(print, file=sys.stderr)  # off the guest's last line
                stack.enter_context(RawTerminal(source))
                stack.callback(self.set_raw, False)
                self.set_raw(True)
                files = vm.join_console(source, drain, LeaveKey(vm.stop), vm.stop)
            else:
                files = vm.join_console(None, drain, on_end=vm.stop)
                core, boots = vm.core, vm.spec.bios is None or vm.spec.kernel is not None
                alive = lambda: core.ending is None  # noqa: E731
                PipedInput(core.console, alive, source, boots=boots).start()
            stack.callback(files.close)
            with Deferred(vm.stop):
                return vm.run_here()

    def join(self, stream: "socket", *, boots: bool) -> bool:
        """Be at the console of a machine in another process; whether the user has left it.

        On a terminal every key but Ctrl-] goes to the guest. Else standard input is typed, and when
        the machine `boots` as it would be by `attach`.
        """
        from hospes.ui.joined import Joined

        source, drain = sys.stdin.fileno(), sys.stdout.fileno()
        joined = Joined(stream, drain)
        with stream, ExitStack() as stack:
            if os.isatty(source):
                print(
                    "Ctrl-] leaves the console; the machine goes on.", file=sys.stderr, flush=True
                )
                stack.callback(print, file=sys.stderr)  # off the guest's last line
                stack.enter_context(RawTerminal(source))
                return joined.run(source, LeaveKey(joined.leave))
            alive = lambda: not joined.ended  # noqa: E731
            PipedInput(joined, alive, source, boots=boots, ends=boots).start()
            return joined.run(None)

    def raw(self, resized: Callable[[int, int], None]) -> RawTerminal:
        """A context in which every key is input as it is."""
        if not os.isatty(self.input_fd):
            raise HospesError("standard input is no terminal; leave out -t")
        return RawTerminal(self.input_fd, resized)

    @property
    def input_fd(self) -> int:
        """Standard input."""
        return sys.stdin.fileno()

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        from shutil import get_terminal_size  # Here, for it brings compressors along.

        size = get_terminal_size()
        return size.columns, size.lines

    def output(self, data: bytes) -> None:
        """Pass on at once what a command in the guest wrote."""
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def error(self, data: bytes) -> None:
        """Likewise, to standard error."""
        sys.stderr.buffer.write(data)
        sys.stderr.buffer.flush()

    def remark(self, message: str) -> None:
        """A line of its own on standard error, at once, whatever the terminal is set to."""
        sys.stderr.flush()
        line = f"hospes: {sentence(message)}"
        text = f"\r\n{line}\r\n" if self._raw else f"{line}\n"
        with suppress(OSError):
            os.write(sys.stderr.fileno(), text.encode())

    def set_raw(self, raw: bool) -> None:
        """Whether the terminal no longer returns to the first column by itself."""
        self._raw = raw

    def environment(self) -> dict[str, str]:
        """TERM, COLUMNS and LINES when this is a terminal; a serial line tells a guest neither."""
        if not os.isatty(sys.stdout.fileno()):
            return {}
        size = os.get_terminal_size(sys.stdout.fileno())
        known = {"TERM": os.environ.get("TERM", "")}
        if size.columns and size.lines:
            known |= {"COLUMNS": str(size.columns), "LINES": str(size.lines)}
        return {name: value for name, value in known.items() if value.replace("-", "").isalnum()}
