"""Names of machines: which there may be, and new ones for those who give none."""

from collections.abc import Container
from typing import Final

from hospes.spec import names

ADJECTIVES: Final = (
    "amber", "bold", "brave", "bright", "calm", "clever", "cool", "early", "fair", "fast",
    "fresh", "gentle", "glad", "golden", "green", "happy", "keen", "kind", "light", "lively",
    "mild", "neat", "noble", "plain", "proud", "quick", "quiet", "rapid", "ready", "silver",
    "steady", "still", "swift", "tidy", "warm", "wise",
)  # fmt: skip
NOUNS: Final = (
    "badger", "beaver", "birch", "brook", "cedar", "cloud", "crane", "creek", "dune", "eagle",
    "falcon", "fern", "field", "finch", "fox", "grove", "harbor", "heron", "hill", "island",
    "lake", "lark", "maple", "marsh", "meadow", "otter", "pine", "raven", "reef", "river",
    "robin", "stone", "swan", "tern", "valley", "willow",
)  # fmt: skip


def check_name(name: str) -> str:
    """The name, if a machine may be called so; else HospesError."""
    return names.check_name(name, "a machine")


def new_name(taken: Container[str]) -> str:
    """A name that is not taken, of an adjective and a noun, with a number when they run short."""
    import secrets  # Here, for it brings all of hashing along, and most commands make no machine.

    for attempt in range(100):
        name = f"{secrets.choice(ADJECTIVES)}-{secrets.choice(NOUNS)}"
        name += f"-{secrets.randbelow(1000)}" if attempt > 20 else ""
        if name not in taken:
            return name
    return f"machine-{secrets.token_hex(8)}"
