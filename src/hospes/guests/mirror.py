"""Which mirror of the Debian archive to use: the user's choice, else the one this host uses."""

import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hospes.base.errors import HospesError
from hospes.base.paths import config_directory
from hospes.guests.deb import control_fields

# Suites by which a source is known to be Debian's main archive, whatever its address looks like.
SUITES: Final = frozenset(
    ("stable", "testing", "unstable", "sid", "bullseye", "bookworm", "trixie", "forky", "duke")
)
ONE_LINE: Final = re.compile(r"deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s")
KEYRINGS: Final = ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp")


@dataclass(frozen=True)
class Source:
    """One archive of the host's set-up."""

    uri: str
    suites: tuple[str, ...]

    @property
    def is_debian(self) -> bool:
        named_debian = self.uri.rstrip("/").rpartition("/")[2] == "debian"
        security = any(suite.endswith(("-security", "/updates")) for suite in self.suites)
        return not security and (named_debian or not SUITES.isdisjoint(self.suites))


def deb822_sources(text: str) -> Iterator[Source]:
    """The enabled binary archives of a *.sources file (sources.list(5))."""
    text = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for paragraph in re.split(r"\n\s*\n", text):
        fields = {name.lower(): value for name, value in control_fields(paragraph).items()}
        enabled = fields.get("enabled", "yes").lower() not in ("no", "false", "0", "off")
        if enabled and "deb" in fields.get("types", "").split():
            suites = tuple(fields.get("suites", "").split())
            for uri in fields.get("uris", "").split():
                yield Source(uri, suites)


def one_line_sources(text: str) -> Iterator[Source]:
    """The binary archives of a *.list file (sources.list(5), one-line style)."""
    for line in text.splitlines():
        match = ONE_LINE.match(line.strip() + " ")
        if match:
            yield Source(match[1], (match[2],))


def host_sources(etc_apt: Path) -> Iterator[Source]:
    """Every archive that the host is set up with."""
    parts = etc_apt / "sources.list.d"
    for path in [etc_apt / "sources.list", *sorted(parts.glob("*"))]:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if path.suffix == ".sources":
            yield from deb822_sources(text)
        elif path.suffix == ".list":
            yield from one_line_sources(text)


def configured_mirror() -> str | None:
    """HOSPES_MIRROR, else the key `mirror` of the user's config.toml."""
    chosen = os.environ.get("HOSPES_MIRROR")
    if chosen:
        return chosen
    path = config_directory() / "config.toml"
    try:
        mirror = tomllib.loads(path.read_text(encoding="utf-8")).get("mirror")
    except FileNotFoundError:
        return None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise HospesError(f"The configuration {path} cannot be read: {problem}.") from problem
    if mirror is not None and not isinstance(mirror, str):
        raise HospesError(f"The key `mirror` in {path} must be a URI in quotes, not {mirror!r}.")
    return mirror


def find_mirror(etc_apt: Path = Path("/etc/apt")) -> str:
    """The URI of a Debian mirror."""
    chosen = configured_mirror()
    if chosen is None:
        chosen = next((source.uri for source in host_sources(etc_apt) if source.is_debian), None)
    if chosen is None:
        raise HospesError(
            f"No Debian archive is named in {etc_apt}: set HOSPES_MIRROR (or `mirror` in "
            f"{config_directory() / 'config.toml'}) to the URI of a Debian mirror."
        )
    if re.search(r"[\s\"';]", chosen) or ":" not in chosen:
        raise HospesError(f"The mirror {chosen!r} is not a URI; set HOSPES_MIRROR to one.")
    return chosen


def find_keyring(keyrings: Path = Path("/usr/share/keyrings")) -> Path:
    """The keys Debian signs its archive with."""
    for name in KEYRINGS:
        if (keyrings / name).is_file():
            return keyrings / name
    raise HospesError(
        f"The Debian archive's keys are not in {keyrings}, so no package could be verified: "
        "install the package debian-archive-keyring."
    )
