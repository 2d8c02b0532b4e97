"""The command line: `hospes VERB …`, with one sentence and an exit code for whatever goes wrong."""

import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, Final

from hospes.base.errors import HospesError
from hospes.base.log import save_crash
from hospes.manager.manager import Manager
from hospes.manager.verbs import verbs
from hospes.ui.bind import Answered, UsageError, bind
from hospes.ui.foreground import Foreground
from hospes.ui.progress import ProgressLine
from hospes.ui.sentence import sentence
from hospes.ui.signals import Stopped, raise_stopped

FAILURE: Final = 1
USAGE: Final = 2
SIGNALLED: Final = 128


def main(argv: Sequence[str] | None = None) -> None:
    """The `hospes` program: run it on the arguments and exit."""
    _complete_streams()
    raise_stopped()
    sys.exit(run(list(sys.argv[1:] if argv is None else argv)))


def _complete_streams() -> None:
    """A process may be started without its standard streams; they are /dev/null then."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def run(argv: list[str]) -> int:
    """Do what the arguments say; returns the exit code."""
    progress = ProgressLine(sys.stderr)
    try:
        return _show(_call(argv, Manager(progress, Foreground())))
    except Answered:
        return 0
    except UsageError as error:
        return _fail(f"{sentence(str(error))} Try 'hospes --help'.", USAGE)
    except HospesError as error:
        progress.close()
        return _fail(str(error), FAILURE)
    except Stopped as stopped:
        progress.close()
        return _fail(f"stopped by {stopped.name}", SIGNALLED + stopped.number)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SIGNALLED + signal.SIGPIPE
    except Exception as error:
        progress.close()
        return _fail(_apology(error), FAILURE)


def _call(argv: list[str], m: Manager) -> Any:
    """Parse, then run the verb."""
    cut = argv.index("--") if "--" in argv else len(argv)
    words = argv[:cut] or ["--help"]
    return bind(verbs(words[0]), m, words, argv[cut + 1 :])()


def _show(result: Any) -> int:
    """Print a verb's result; its exit code if it has one."""
    if isinstance(result, int):
        return result
    # Here, for a machine's start should not pay for what is shown at its end.
    from hospes.ui.present import present, remarks

    for text, stream in ((present(result), sys.stdout), (remarks(result), sys.stderr)):
        if text:
            print(text, file=stream, flush=True)
    return int(getattr(result, "exit_code", 0))


def _apology(error: Exception) -> str:
    path = save_crash(error)
    where = f"the details are in {path}" if path else "and the details could not be saved"
    return f"Hospes itself failed ({type(error).__name__}), {where}."


def _fail(message: str, code: int) -> int:
    print(f"hospes: {sentence(message)}", file=sys.stderr, flush=True)
    return code
