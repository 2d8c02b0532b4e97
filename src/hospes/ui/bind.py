"""Verbs as commands: a parser derived from the verbs' signatures."""

import argparse
import functools
import inspect
import types
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Annotated, Any, Final, Literal, NoReturn, Union, get_args, get_origin

from hospes.base.log import hospes_version
from hospes.manager.manager import Manager
from hospes.manager.verb import Verb

Bound = Callable[[], Any]
"""A verb with everything a user gave it, ready to be called."""

DESCRIPTION: Final = "Hospes runs virtual machines: RISC-V guests, on a host with Python."
TYPE_NAMES: Final = {int: "a whole number", float: "a number"}


UNMEASURED: Final = functools.partial(argparse.HelpFormatter, width=80)
"""What checks the arguments: looking for the terminal's width imports compressors."""


class UsageError(Exception):
    """The words on the command line do not fit the verb; the text is a sentence's beginning."""


class Answered(Exception):  # noqa: N818 - no error: the parser itself has printed what was asked
    """The parser did what the words ask for: help, or the version."""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises instead of ending the process."""

    takes_command = False

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=UNMEASURED, **options)

    def format_help(self) -> str:
        self.formatter_class = argparse.HelpFormatter
        if self.takes_command and self.usage is None:
            self.usage = self.format_usage().removeprefix("usage: ").rstrip() + " [-- COMMAND...]"
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise Answered


class Version(argparse.Action):
    """Print the version, which takes a look at the installed packages, only when asked for it."""

    def __call__(self, *ignored: object) -> None:
        print(f"hospes {hospes_version()}")
        raise Answered


def bind(verbs: Sequence[Verb], m: Manager, words: Sequence[str], command: Sequence[str]) -> Bound:
    """The verb that the words name, with its arguments; UsageError or Answered if there is none.

    `command` is what stood after `--`; verbs that take one get it.
    """
    parser = _parser(verbs, words[0] if words else "")
    given, unknown = parser.parse_known_args(list(words))
    if unknown:
        kind = "No such option:" if unknown[0].startswith("-") else "Unexpected argument"
        raise UsageError(f"{kind} {unknown[0]}")
    values = vars(given)
    verb: Verb = values.pop("verb")
    if command and not verb.takes_command:
        raise UsageError(f"'hospes {' '.join(verb.words)}' takes no command after --")
    positional = [p.name for p in verb.parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    arguments = [values.pop(name) for name in positional]
    return functools.partial(verb.function, m, *arguments, *command, **values)


def summary(function: Callable[..., Any]) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())


def _parser(verbs: Sequence[Verb], first: str) -> Parser:
    """Of verbs that do not begin with the first word, only the names are of use."""
    root = Parser(prog="hospes", description=DESCRIPTION)
    root.add_argument(
        "--version",
        action=Version,
        nargs=0,
        dest=argparse.SUPPRESS,
        help="show the version and exit",
    )
    commands = _commands(root)
    groups: dict[str, Any] = {}
    for verb in verbs:
        *parents, name = verb.words
        owner = commands
        if parents:
            if parents[0] not in groups:
                text = f"Verbs on {parents[0]}."
                group = commands.add_parser(parents[0], help=text, description=text)
                groups[parents[0]] = _commands(group)
            owner = groups[parents[0]]
        _add_verb(owner, name, verb, whole=verb.words[0] == first)
    return root


def _commands(parser: Parser) -> Any:
    # Without `prog`, a usage is formatted to find it.
    return parser.add_subparsers(
        metavar="COMMAND", required=True, title="commands", prog=parser.prog
    )


def _add_verb(owner: Any, name: str, verb: Verb, *, whole: bool) -> None:
    text = summary(verb.function)
    parser = owner.add_parser(name, help=text, description=text)
    if not whole:
        return
    for parameter in verb.parameters:
        if parameter.kind is not parameter.VAR_POSITIONAL:
            _add_parameter(parser, parameter)
    parser.set_defaults(verb=verb)
    parser.takes_command = verb.takes_command


def _add_parameter(parser: Parser, parameter: inspect.Parameter) -> None:
    """An option if it is keyword-only, else an argument."""
    hint, text = parameter.annotation, None
    short: list[str] = []
    if get_origin(hint) is Annotated:
        hint, text, *short = get_args(hint)
    required = parameter.default is parameter.empty
    options = {"help": text, "default": None if required else parameter.default, **_kind(hint)}
    if parameter.kind is parameter.KEYWORD_ONLY:
        flag = f"--{parameter.name.replace('_', '-')}"
        parser.add_argument(*short, flag, dest=parameter.name, required=required, **options)
    else:
        several = options.pop("action", None) == "append"
        many: dict[str, Any] = {"nargs": "+"} if several else {} if required else {"nargs": "?"}
        parser.add_argument(parameter.name, metavar=parameter.name.upper(), **many, **options)


def _kind(hint: Any) -> dict[str, Any]:
    """How words become a value of a type."""
    if get_origin(hint) in {Union, types.UnionType}:
        hint = next(kind for kind in get_args(hint) if kind is not type(None))
    if hint is bool:
        return {"action": "store_true"}
    if get_origin(hint) in {list, tuple}:
        return {"action": "append", **_kind(get_args(hint)[0])}
    if get_origin(hint) is Literal:
        return {"choices": get_args(hint)}
    if isinstance(hint, type) and issubclass(hint, Enum):
        names = [member.value for member in hint]
        return {"type": _member(hint, names), "metavar": "|".join(names)}
    return {"type": _converter(hint)}


def _converter(kind: type) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not {TYPE_NAMES[kind]}") from None

    return convert


def _member(kind: type[Enum], names: list[str]) -> Callable[[str], Enum]:
    def convert(text: str) -> Enum:
        if text not in names:
            raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(names)}")
        return kind(text)

    return convert
