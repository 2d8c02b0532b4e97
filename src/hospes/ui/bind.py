"""Verbs as commands: a Typer application derived from the verbs' signatures."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any, get_args, get_origin

import typer

from hospes.manager.manager import Manager
from hospes.manager.verb import Verb

Bound = Callable[[], Any]
"""A verb with everything a user gave it, ready to be called."""


def application(verbs: Sequence[Verb], m: Manager, command: Sequence[str]) -> typer.Typer:
    """A Typer whose commands return the Bound verb without calling it.

    `command` is what stood after `--`; verbs that take one get it.
    """
    root = _group(None, "Hospes runs virtual machines: RISC-V guests, on a host with Python.")
    groups: dict[str, typer.Typer] = {}
    for verb in verbs:
        *parents, name = verb.words
        owner = root
        if parents:
            owner = groups.setdefault(parents[0], _group(parents[0], f"Verbs on {parents[0]}."))
        owner.command(
            name,
            help=summary(verb.function),
            options_metavar="[OPTIONS]" + (" [-- COMMAND...]" if verb.takes_command else ""),
        )(_binder(verb, m, tuple(command)))
    for name, group in groups.items():
        root.add_typer(group, name=name)
    return root


def _group(name: str | None, text: str) -> typer.Typer:
    return typer.Typer(
        name=name,
        help=text,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )


def summary(function: Callable[..., Any]) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())


def _binder(verb: Verb, m: Manager, command: tuple[str, ...]) -> Callable[..., Bound]:
    """A function with the signature Typer is to read, which binds instead of calling."""
    parameters = [_parameter(p) for p in verb.parameters if p.kind is not p.VAR_POSITIONAL]
    positional = [p.name for p in verb.parameters if p.kind is p.POSITIONAL_OR_KEYWORD]

    def bind(**given: Any) -> Bound:
        if command and not verb.takes_command:
            words = " ".join(verb.words)
            raise typer.BadParameter(f"'hospes {words}' takes no command after --")
        arguments = [given.pop(name) for name in positional]
        return functools.partial(verb.function, m, *arguments, *command, **given)

    bind.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    bind.__annotations__ = {p.name: p.annotation for p in parameters}
    return bind


def _parameter(parameter: inspect.Parameter) -> inspect.Parameter:
    """The parameter as Typer declares it: an option if it is keyword-only, else an argument."""
    # Not by get_type_hints, which would need the type of what the verb returns to be loaded.
    hint = parameter.annotation
    text = None
    if get_origin(hint) is Annotated:
        hint, text = get_args(hint)[:2]
    if parameter.kind is parameter.KEYWORD_ONLY:
        declared = typer.Option(f"--{parameter.name.replace('_', '-')}", help=text)
    else:
        declared = typer.Argument(help=text, metavar=parameter.name.upper())
    return inspect.Parameter(
        parameter.name,
        parameter.KEYWORD_ONLY,
        default=parameter.default,
        annotation=Annotated[hint, declared],
    )
