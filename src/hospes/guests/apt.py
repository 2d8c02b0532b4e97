"""A private apt: Debian packages for riscv64, fetched and verified by the host's apt-get."""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hospes.base.errors import HospesError
from hospes.base.progress import Progress, silent
from hospes.guests.apt_errors import IndexMismatchError, apt_error
from hospes.guests.deb import control_fields
from hospes.guests.mirror import find_keyring, find_mirror

ARCHITECTURE: Final = "riscv64"
CODENAME: Final = "trixie"
# `stable` names the same release while trixie is the stable one. A caching mirror may hold a newer
# Release than package lists under one name and a consistent, equally signed set under the other.
SUITES: Final = (CODENAME, "stable")
# Settings of the host about how to reach a mirror; none that would weaken verification.
CARRIED: Final = re.compile(
    r"Acquire::(?:(?:http|https|ftp)::(?:Proxy|Proxy-Auto-Detect|Timeout|CaInfo)(?:::[\w.-]+)?"
    r'|Retries|ForceIPv[46]) "[^"]*";',
    re.IGNORECASE,
)
OPTIONS: Final = (
    "-q",
    "-o", "APT::Status-Fd=1",
    "-o", "APT::Update::Error-Mode=any",
)  # fmt: skip
# Fewer runs of dpkg: a package is configured when another needs that, not as soon as it could be.
IN_LARGE_STEPS: Final = ("-o", "APT::Immediate-Configure=false")
FEW_NAMES: Final = 8
STATUS: Final = re.compile(r"dlstatus:\d+:([0-9.]+):")

CONFIGURATION: Final = """\
Dir "{root}";
Dir::Etc "{root}/etc";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::trusted "/dev/null";
Dir::Etc::trustedparts "/dev/null";
Dir::Etc::netrc "/etc/apt/auth.conf";
Dir::Etc::netrcparts "/etc/apt/auth.conf.d";
Dir::State "{root}/state";
Dir::State::status "{root}/state/status";
Dir::Cache "{root}/cache";
Dir::Log "{root}/log";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "{user}";
APT::Get::AllowUnauthenticated "false";
APT::Install-Recommends "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Languages "none";
Dir::Cache::srcpkgcache "";
"""


class PrivateApt:
    """apt-get with a configuration, lists and cache of its own below `root`.

    Nothing of the host's apt is changed or locked; its mirror, proxies and credentials are used.
    """

    def __init__(
        self, root: Path, *, mirror: str | None = None, keyring: Path | None = None
    ) -> None:
        if not shutil.which("apt-get"):
            raise HospesError(
                "This machine has no apt-get, with which Hospes fetches and verifies packages: "
                "install apt, or copy an image's directory from another machine's cache."
            )
        if re.search(r'["\n]', str(root)):
            raise HospesError(f"apt cannot work in {root}: set HOSPES_CACHE to a plainer name.")
        self.root = root
        self.mirror = mirror or find_mirror()
        self.keyring = keyring or find_keyring()
        self.release = ""

    def update(self, progress: Progress = silent) -> None:
        """Fetch the signed package lists; `release` is then the release's version, such as 13.1."""
        self._set_up()
        mismatch: IndexMismatchError | None = None
        for suite in SUITES:
            self._write_source(suite)
            try:
                self._apt_get(["update"], progress, "Fetching the package lists")
                self.release = self._verified_release(suite)
                return
            except IndexMismatchError as problem:
                mismatch = mismatch or problem
        assert mismatch is not None
        raise mismatch

    def download(self, names: Sequence[str], into: Path, progress: Progress = silent) -> list[Path]:
        """Fetch just these packages into the directory `into`; verified by apt."""
        self._apt_get(["download", *names], progress, _fetching(names), into)
        return sorted(into.glob("*.deb"))

    def download_closure(
        self, names: Sequence[str], into: Path, progress: Progress = silent
    ) -> list[Path]:
        """Fetch these packages and all they depend on, without the recommended ones."""
        archives = f"Dir::Cache::archives={into}"
        (into / "partial").mkdir(exist_ok=True)
        command = ["-o", archives, "-y", "--download-only", "install", *names]
        self._apt_get(command, progress, f"{_fetching(names)} and what they need")
        return sorted(into.glob("*.deb"))

    def depends(self, name: str) -> list[str]:
        """The names of a package's direct dependencies, the first of each choice."""
        paragraph = self._run(["apt-cache", "show", "--no-all-versions", name])
        relations = control_fields(paragraph).get("Depends", "").split(",")
        return [relation.split()[0] for relation in relations if relation.strip()]

    def available(self) -> str:
        """What the archive holds: a paragraph of deb822 for each package."""
        return self._run(["apt-cache", "dumpavail"])

    def simulate(self, names: Sequence[str]) -> str:
        """What apt-get would do to install these on an empty system: `Inst` and `Conf` lines."""
        return self._run(["apt-get", *OPTIONS, *IN_LARGE_STEPS, "-s", "install", *names])

    def _set_up(self) -> None:
        for part in ("etc/preferences.d", "etc/sources.list.d", "state/lists/partial",
                     "cache/archives/partial", "log"):  # fmt: skip
            (self.root / part).mkdir(parents=True, exist_ok=True)
        (self.root / "state/status").touch()
        text = CONFIGURATION.format(
            root=self.root, architecture=ARCHITECTURE, user=pwd.getpwuid(os.geteuid()).pw_name
        )
        (self.root / "apt.conf").write_text(text + host_settings(), encoding="utf-8")

    def _write_source(self, suite: str) -> None:
        (self.root / "etc/sources.list.d/debian.sources").write_text(
            f"Types: deb\nURIs: {self.mirror}\nSuites: {suite}\nComponents: main\n"
            f"Architectures: {ARCHITECTURE}\nSigned-By: {self.keyring}\n",
            encoding="utf-8",
        )

    def _verified_release(self, suite: str) -> str:
        """The version in the Release that apt has just verified; it must be our release's."""
        for path in (self.root / "state/lists").glob(f"*_dists_{suite}_*Release"):
            text = path.read_text(encoding="utf-8")
            fields = control_fields(text[text.index("Origin:") :].split("\nMD5Sum:")[0])
            if fields.get("Codename") == CODENAME:
                return fields.get("Version", "")
        raise IndexMismatchError(
            f"The Debian mirror has no consistent package lists of {CODENAME} for {ARCHITECTURE}; "
            "try again later or choose another mirror."
        )

    def _apt_get(
        self, arguments: list[str], progress: Progress, task: str, cwd: Path | None = None
    ) -> None:
        progress(task, 0, 100)
        self._run(["apt-get", *OPTIONS, *arguments], cwd, progress, task)
        progress(task, 100, 100)

    def _run(
        self,
        command: list[str],
        cwd: Path | None = None,
        progress: Progress = silent,
        task: str = "",
    ) -> str:
        """Run one of apt's programs; its output, or HospesError when it failed."""
        environment = {**os.environ, "APT_CONFIG": str(self.root / "apt.conf"), "LC_ALL": "C.UTF-8"}
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as messages:
            with subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=messages,
                cwd=cwd, env=environment, encoding="utf-8", errors="replace",
            ) as process:  # fmt: skip
                assert process.stdout is not None
                output = []
                for line in process.stdout if task else ():
                    output.append(line)
                    if status := STATUS.match(line):
                        progress(task, min(int(float(status[1])), 99), 100)
                output.append(process.stdout.read())
            messages.seek(0)
            if process.returncode:
                raise apt_error(messages.read() + "".join(output), str(self.root))
        return "".join(output)


def _fetching(names: Sequence[str]) -> str:
    few = len(names) <= FEW_NAMES
    return f"Fetching {', '.join(names)}" if few else f"Fetching {len(names)} packages"


def host_settings() -> str:
    """The host's settings about proxies, time-outs and certificates, as lines of an apt.conf."""
    try:
        dump = subprocess.run(
            ["apt-config", "dump"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""
    return "".join(f"{line}\n" for line in dump.splitlines() if CARRIED.fullmatch(line))
