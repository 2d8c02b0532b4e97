"""What a user does inside a machine that runs: commands, files, and its console."""

from typing import Annotated

from hospes.base.errors import HospesError
from hospes.manager.manager import Manager, Terminal
from hospes.manager.ran import Ran
from hospes.manager.verb import verb

Name = Annotated[str, "the machine"]


@verb("POST /machines/{name}/exec", "exec")
def execute(
    m: Manager,
    name: Name,
    *command: str,
    tty: Annotated[bool, "give it a terminal", "-t"] = False,
    interactive: Annotated[bool, "give it standard input", "-i"] = False,
    user: Annotated[str | None, "run it as this user, not as root"] = None,
) -> int:
    """Run a command in a machine; its output and exit code are passed through.

    A single word is a line for the guest's shell; several words are a program and its arguments.
    """
    from hospes.manager.agents import agent_of
    from hospes.manager.guest_agent import Command
    from hospes.manager.store import Store

    if not command:
        raise HospesError(f"there is no command; write it as in 'hospes exec {name} -- uname -a'")
    terminal = _terminal(m)
    with agent_of(m, Store().find(name)) as agent:
        return agent.run(Command(command, interactive, tty, user), terminal)


@verb("POST /machines/{name}/files")
def cp(
    m: Manager,
    source: Annotated[str, "a path here, or MACHINE:PATH"],
    target: Annotated[str, "MACHINE:PATH, or a path here"],
) -> None:
    """Copy a file or directory into a machine, or out of one."""
    from hospes.manager.agents import agent_of
    from hospes.manager.store import Store

    there, here = _place(source), _place(target)
    if (there is None) == (here is None):
        raise HospesError(
            "one of the two has to be in a machine, and the other here; write it as in "
            "'hospes cp web:/etc/hostname .'"
        )
    name, path = there or here or ("", "")
    with agent_of(m, Store().find(name)) as agent:
        if there is not None:
            agent.copy_out(path, target)
        else:
            agent.copy_in(source, path)


@verb("GET /machines/{name}/log")
def logs(
    m: Manager,
    name: Name,
    *,
    follow: Annotated[bool, "go on with what comes, until the machine stops", "-f"] = False,
    tail: Annotated[int | None, "only so many of the last lines"] = None,
) -> None:
    """Print what a machine's guest has written to its console."""
    from hospes.manager.console_log import read_log
    from hospes.manager.store import Store

    terminal = _terminal(m)
    for piece in read_log(Store().find(name), tail, follow):
        terminal.output(piece)


@verb("POST /machines/{name}/console")
def attach(m: Manager, name: Name) -> Ran:
    """Be at a machine's console; Ctrl-] leaves it, and the machine goes on."""
    from hospes.manager.kept import at_console
    from hospes.manager.store import Store

    return at_console(Store().find(name), _terminal(m))


@verb("GET /machines/{name}/console")
def console(m: Manager, name: Name) -> Ran:
    """The same as attach."""
    return attach(m, name)


def _terminal(m: Manager) -> Terminal:
    if m.terminal is None:
        raise HospesError("this needs a terminal, or files for its input and output")
    return m.terminal


def _place(text: str) -> tuple[str, str] | None:
    """The machine and the path in it, if the text names them: `./a:b` is a file here."""
    name, colon, path = text.partition(":")
    return (name, path or ".") if colon and "/" not in name else None
