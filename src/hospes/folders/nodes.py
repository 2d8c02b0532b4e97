"""What is known of a folder's files by name: one node for each, which moves for all who hold it.

A node is found from its parent by its name, as long as nobody has taken that away. One that was
unlinked, or that another file has taken the place of, is `gone`: it lives on for those who hold it.
"""

from collections.abc import Iterator
from typing import Final

Identity = tuple[int, int]
"""A file's device and inode: who it is, whatever it is called."""


class Node:
    """A file or directory; `holders` counts who keeps it."""

    __slots__ = ("children", "gone", "holders", "identity", "kind", "name", "parent")

    def __init__(self, parent: "Node | None", name: bytes, identity: Identity, kind: int) -> None:
        self.parent, self.name = parent, name
        self.identity, self.kind = identity, kind
        self.children: dict[bytes, Node] = {}
        self.holders = 1
        self.gone = False

    @property
    def names(self) -> tuple[bytes, ...]:
        """The way from the root."""
        found = []
        node = self
        while node.parent is not None:
            found.append(node.name)
            node = node.parent
        return tuple(reversed(found))

    @property
    def is_lost(self) -> bool:
        """Whether it, or a directory on the way to it, has no name any more."""
        node: Node | None = self
        while node is not None:
            if node.gone:
                return True
            node = node.parent
        return False


class Nodes:
    """All nodes; `discarded` are those that nobody holds any more since this was last taken."""

    def __init__(self, identity: Identity, kind: int) -> None:
        self.root: Final = Node(None, b"", identity, kind)
        self._discarded: list[Node] = []

    def hold_child(self, parent: Node, name: bytes, identity: Identity, kind: int) -> Node:
        """The node of what was found under a name, held once more."""
        known = parent.children.get(name)
        if known is not None and known.identity == identity and known.kind == kind:
            known.holders += 1
            return known
        if known is not None:
            self.unlink(parent, name)
        node = parent.children[name] = Node(parent, name, identity, kind)
        parent.holders += 1
        return node

    def hold(self, node: Node) -> Node:
        """The same node, held once more."""
        node.holders += 1
        return node

    def release(self, node: Node) -> None:
        """Held once less; a child holds its parent."""
        at: Node | None = node
        while at is not None:
            at.holders -= 1
            if at.holders:
                return
            parent = at.parent
            if parent is not None and parent.children.get(at.name) is at:
                del parent.children[at.name]
            self._discarded.append(at)
            at = parent

    def unlink(self, parent: Node, name: bytes) -> None:
        """The name is not there any more."""
        node = parent.children.pop(name, None)
        if node is not None:
            node.gone = True

    def rename(self, parent: Node, name: bytes, new_parent: Node, new_name: bytes) -> None:
        """What had one name has another, in place of what had that."""
        node, replaced = parent.children.get(name), new_parent.children.get(new_name)
        if node is not None and replaced is not None and node.identity == replaced.identity:
            return  # Two names of one file both stay (rename(2)).
        self.unlink(new_parent, new_name)
        if node is None:
            return
        del parent.children[name]
        new_parent.holders += 1
        new_parent.children[new_name] = node
        node.parent, node.name = new_parent, new_name
        self.release(parent)

    def take_discarded(self) -> list[Node]:
        """Those whose files may be closed."""
        discarded, self._discarded = self._discarded, []
        return discarded

    def below(self, node: Node) -> Iterator[Node]:
        """A node and all that is known in it."""
        waiting = [node]
        while waiting:
            at = waiting.pop()
            yield at
            waiting += at.children.values()
