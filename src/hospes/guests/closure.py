"""Which packages a system consists of, and in what order they are unpacked and configured."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hospes.base.errors import HospesError
from hospes.guests.apt import PrivateApt
from hospes.guests.deb import control_fields

ACTION: Final = re.compile(r"^(Inst|Conf) (\S+)", re.MULTILINE)
VERBS: Final = {"Inst": "unpack", "Conf": "configure"}
# A system without these is none (Debian Policy 2.5, 3.8).
ESSENTIAL: Final = "\nEssential: yes\n"
REQUIRED: Final = "\nPriority: required\n"
NEEDS: Final = ("Pre-Depends", "Depends")
PROVIDES: Final = "Provides"
RELATED: Final = re.compile(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]+)")
NAME: Final = re.compile(r"\n*Package: (\S+)\n")


@dataclass(frozen=True)
class PackageFile:
    """A package of the archive as the signed lists describe it."""

    name: str
    version: str
    architecture: str
    sha256: str

    @property
    def file(self) -> str:
        """What apt calls the file it fetches."""
        return f"{self.name}_{self.version.replace(':', '%3a')}_{self.architecture}.deb"


@dataclass(frozen=True)
class Step:
    """One run of dpkg: `unpack` or `configure`, and the packages' names."""

    verb: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Closure:
    """Packages with all they depend on.

    The `foundation` is what dpkg and maintainer scripts need before anything can be installed in
    the ordinary way; the `steps` install the others.
    """

    files: tuple[PackageFile, ...]
    foundation: tuple[str, ...]
    steps: tuple[Step, ...]


class Archive:
    """The package lists, read once."""

    def __init__(self, apt: PrivateApt) -> None:
        self.apt = apt
        self._paragraphs: dict[str, str] = {}
        self.essential: list[str] = []
        self.required: list[str] = []
        for paragraph in apt.available().split("\n\n"):
            if match := NAME.match(paragraph):
                self._paragraphs[match[1]] = paragraph
                lines = f"{paragraph}\n"
                if ESSENTIAL in lines:
                    self.essential.append(match[1])
                elif REQUIRED in lines:
                    self.required.append(match[1])

    def file(self, name: str) -> PackageFile:
        """The package of that name; HospesError when there is none."""
        if name not in self._paragraphs:
            raise HospesError(f"The Debian archive has no package {name!r}; leave it out.")
        fields = control_fields(self._paragraphs[name])
        return PackageFile(name, fields["Version"], fields["Architecture"], fields["SHA256"])

    def closure(self, wanted: Sequence[str]) -> Closure:
        """These packages, those that every system has, and all they depend on."""
        for name in wanted:
            self.file(name)
        names = list(dict.fromkeys([*self.essential, *self.required, *wanted]))
        actions = list(_actions(self.apt.simulate(names)))
        files = tuple(self.file(name) for verb, name in actions if verb == "unpack")
        essential = self.dependencies(self.essential, [file.name for file in files])
        foundation = tuple(file.name for file in files if file.name in essential)
        rest = ((verb, name) for verb, name in actions if name not in foundation)
        return Closure(files, foundation, tuple(_steps(rest)))

    def dependencies(self, names: Sequence[str], among: Collection[str]) -> set[str]:
        """The packages, and of those that are installed `among` others what they depend on.

        All that they need is there, so apt need not be asked, which takes it seconds.
        """
        providers = {virtual: real for real in among for virtual in self._names(real, PROVIDES)}
        found: set[str] = set()
        left = list(names)
        while left:
            name = left.pop()
            if name in among and name not in found:
                found.add(name)
                wanted = self._names(name, *NEEDS)
                left += [other if other in among else providers.get(other, "") for other in wanted]
        return found

    def _names(self, name: str, *relations: str) -> list[str]:
        """The packages' names in such fields, each alternative too (Debian Policy 7.1)."""
        fields = control_fields(self._paragraphs[name])
        text = ",".join(fields.get(relation, "") for relation in relations)
        return RELATED.findall(text)


def _actions(simulation: str) -> Iterator[tuple[str, str]]:
    for kind, name in ACTION.findall(simulation):
        yield VERBS[kind], name.partition(":")[0]


def _steps(actions: Iterable[tuple[str, str]]) -> Iterator[Step]:
    """Neighbours with the same verb become one run."""
    verb, names = "", list[str]()
    for next_verb, name in actions:
        if next_verb != verb and names:
            yield Step(verb, tuple(names))
            names = []
        verb = next_verb
        names.append(name)
    if names:
        yield Step(verb, tuple(names))


def check_file(file: PackageFile, directory: Path, sha256: str) -> None:
    """HospesError when a package in the cache is not the one the signed lists name."""
    if sha256 != file.sha256:
        raise HospesError(
            f"The package {directory / file.file} is not the one its signed list names; "
            "delete it and try again."
        )
