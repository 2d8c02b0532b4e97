"""How running a machine for a terminal ended."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ran:
    """How a run ended; `statistics` are rows of group, name and value, if asked for."""

    exit_code: int
    remark: str = ""
    statistics: tuple[tuple[str, str, str], ...] = ()
