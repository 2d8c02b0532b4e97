"""A machine's network cable, pulled out and put back: the verb."""

from typing import Annotated, Final, Literal

from hospes.manager.manager import Manager
from hospes.manager.verb import verb

UP: Final = "up"
DOWN: Final = "down"


@verb("PUT /machines/{name}/link")
def link(
    m: Manager,
    name: Annotated[str, "the machine"],
    state: Annotated[Literal["up", "down"] | None, "up or down; else it is told which"] = None,
) -> str | None:
    """Pull a running machine's network cable out or put it back; its guest sees that."""
    from hospes.manager.link import Link
    from hospes.manager.store import Store

    with Link(Store().find(name)) as machine:
        if state is None:
            return UP if machine.link_up() else DOWN
        machine.set_link(state == UP)
    return None
