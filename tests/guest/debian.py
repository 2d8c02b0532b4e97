"""What tests of a whole Debian share: patience, and how to see that a system is in order."""

import subprocess

from tests.ui.programs import command

BOOT_SECONDS = 600
"""Long: the host may be busy with other things."""
PATIENT = f"systemd.default_timeout_start_sec={BOOT_SECONDS}"
PATIENT += f" systemd.default_device_timeout_sec={BOOT_SECONDS}"
"""The same for the guest, which gives its services 90 seconds of the clock."""
ORDER = (
    "systemctl is-system-running --wait; systemctl list-units --failed --plain --no-legend; "
    "dmesg -l emerg,alert,crit,err; journalctl -b -p err -q -o cat"
)


def hospes(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the program to its end, which may take a boot of the guest."""
    return subprocess.run(
        command(*words),
        capture_output=True,
        text=True,
        timeout=BOOT_SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def in_guest(name: str, line: str) -> str:
    """A command's output; nothing else is said, and it succeeds."""
    done = hospes("exec", name, "--", line)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout
