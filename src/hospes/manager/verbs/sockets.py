"""Into a machine by vsock: to any port of its guest's, and by SSH."""

import os
import signal
from pathlib import Path
from typing import Annotated, Final

from hospes.base.errors import HospesError
from hospes.manager.manager import Manager
from hospes.manager.verb import verb

STANDARD_OUTPUT: Final = 1

Name = Annotated[str, "the machine"]


@verb("POST /machines/{name}/vsock/{port}")
def vsock(
    m: Manager,
    name: Name,
    port: Annotated[int, "the guest's vsock port"],
    *,
    fdpass: Annotated[bool, "hand the connection over instead, for ssh's ProxyUseFdpass"] = False,
) -> None:
    """Join standard input and output to a vsock port of a machine's guest.

    It can be a ProxyCommand of ssh's, which ends it by SIGHUP.
    """
    from hospes.manager.sockets import bridge, call_port, hand_over
    from hospes.manager.store import Store

    terminal = m.terminal
    if terminal is None:
        raise HospesError("this needs files for its input and output")
    client = call_port(Store().find(name), port, m.progress)
    if fdpass:
        hand_over(client, STANDARD_OUTPUT)
        return
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    bridge(client, lambda count: os.read(terminal.input_fd, count), terminal.output)


@verb("POST /machines/{name}/ssh")
def ssh(
    m: Manager,
    name: Name,
    *command: str,
    user: Annotated[str | None, "log in as this user, not as root", "-l"] = None,
    identity: Annotated[Path | None, "a private key in place of the machine's own", "-i"] = None,
    tty: Annotated[bool, "give a command a terminal", "-t"] = False,
) -> int:
    """Log in to a machine by SSH over vsock, without a network, or run a command that way.

    Its guest needs an SSH server and systemd 256 or newer. A single word is a line for the user's
    shell; several words are a program and its arguments.
    """
    from hospes.manager.guest_agent import Command
    from hospes.manager.ssh import SshAgent
    from hospes.manager.store import Store

    if m.terminal is None:
        raise HospesError("this needs a terminal, or files for its input and output")
    agent = SshAgent(Store().find(name), m, identity)
    return agent.run(Command(command, input=True, terminal=tty, user=user), m.terminal)
