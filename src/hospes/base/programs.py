"""Programs of the host: where they are, and what came of one."""

import os
import shutil
import subprocess
from typing import Final

from hospes.base.errors import HospesError

PATIENCE_SECONDS: Final = 30.0
ELSEWHERE: Final = ("/usr/sbin", "/sbin", "/usr/libexec", "/usr/lib/qemu")


def find_program(name: str) -> str:
    """A program's path, "" if there is none.

    Looks also where a system keeps programs for root and for other programs.
    """
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *ELSEWHERE))
    return shutil.which(name, path=path) or ""


def run_program(path: str, *words: str, said: str = "") -> subprocess.CompletedProcess[str]:
    """Run one to its end with `said` on its standard input; HospesError if it does not end."""
    try:
        return subprocess.run(
            [path, *words],
            input=said,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE_SECONDS,
            check=False,
            env=os.environ | {"LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HospesError(f"{path} cannot be run ({error}); see that it works by itself") from error
