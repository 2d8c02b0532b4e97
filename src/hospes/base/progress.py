"""How a long task says how far it is, without knowing who listens."""

from typing import Protocol


class Progress(Protocol):
    """Told of each step; a task is over when done equals total. A total of 0 means unknown."""

    def __call__(self, task: str, done: int, total: int) -> None: ...


def silent(task: str, done: int, total: int) -> None:
    """A Progress nobody watches."""
