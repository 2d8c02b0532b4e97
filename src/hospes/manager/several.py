"""One act on several things that are named in one command."""

from collections.abc import Callable, Sequence

from hospes.base.errors import HospesError


def each(names: Sequence[str], act: Callable[[str], object]) -> tuple[str, ...]:
    """The names, each acted on; what cannot be done is told once all others are done."""
    done, failures = [], []
    for name in names:
        try:
            act(name)
            done.append(name)
        except HospesError as error:
            failures.append(str(error).rstrip("."))
    if failures:
        raise HospesError("; ".join(failures))
    return tuple(done)
