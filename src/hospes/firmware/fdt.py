"""Flattened device trees (Devicetree Specification 0.4, chapter 5): model, writer and reader."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

from hospes.base.errors import HospesError

MAGIC: Final = 0xD00D_FEED
VERSION: Final = 17
COMPATIBLE_VERSION: Final = 16
BEGIN_NODE, END_NODE, PROP, NOP, END = 1, 2, 3, 4, 9
DEPTH_MAX: Final = 64

_HEADER = struct.Struct(">10I")
_CELL = struct.Struct(">I")


@dataclass
class Node:
    """A node: its name, its properties in order as raw bytes, its children in order."""

    name: str
    properties: dict[str, bytes] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)

    def set(self, name: str, *values: int | str | bytes) -> Node:
        """Give a property: integers become 32-bit cells, texts are terminated; returns the node."""
        self.properties[name] = b"".join(_encode(value) for value in values)
        return self

    def add(self, name: str) -> Node:
        """A new child at the end."""
        child = Node(name)
        self.children.append(child)
        return child

    def find(self, path: str) -> Node:
        """The node at a path below this one, as in `soc/serial@10000000`; KeyError if absent."""
        node = self
        for part in filter(None, path.split("/")):
            found = [child for child in node.children if child.name == part]
            if not found:
                raise KeyError(path)
            node = found[0]
        return node

    def cells(self, name: str) -> list[int]:
        """A property as 32-bit cells."""
        return [cell for (cell,) in _CELL.iter_unpack(self.properties[name])]

    def text(self, name: str) -> str:
        """A property's first string."""
        return self.properties[name].split(b"\0")[0].decode()


def wide(value: int) -> tuple[int, int]:
    """A 64-bit number as two cells."""
    return value >> 32, value & 0xFFFF_FFFF


def write(root: Node, boot_hart: int = 0) -> bytes:
    """The tree as a flattened blob, version 17, without memory reservations."""
    strings = _Strings()
    body = bytearray()
    _write_node(root, body, strings)
    body += _CELL.pack(END)
    reservations = bytes(16)
    structure_at = _HEADER.size + len(reservations)
    strings_at = structure_at + len(body)
    header = _HEADER.pack(
        MAGIC,
        strings_at + len(strings.block),
        structure_at,
        strings_at,
        _HEADER.size,
        VERSION,
        COMPATIBLE_VERSION,
        boot_hart,
        len(strings.block),
        len(body),
    )
    return header + reservations + bytes(body) + bytes(strings.block)


def read(blob: bytes) -> Node:
    """The tree in a flattened blob; HospesError if it is damaged."""
    try:
        return _Reader(blob).read()
    except (struct.error, IndexError, OverflowError, ValueError) as error:
        raise HospesError(
            f"the device tree blob is damaged ({error}); make it again with dtc"
        ) from error


class _Strings:
    """The strings block: every property name once."""

    def __init__(self) -> None:
        self.block = bytearray()
        self._offsets: dict[str, int] = {}

    def offset(self, name: str) -> int:
        if name not in self._offsets:
            self._offsets[name] = len(self.block)
            self.block += name.encode() + b"\0"
        return self._offsets[name]


def _encode(value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _CELL.pack(value)
    return value.encode() + b"\0" if isinstance(value, str) else value


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _write_node(node: Node, body: bytearray, strings: _Strings) -> None:
    body += _CELL.pack(BEGIN_NODE) + _padded(node.name.encode() + b"\0")
    for name, value in node.properties.items():
        body += struct.pack(">3I", PROP, len(value), strings.offset(name)) + _padded(value)
    for child in node.children:
        _write_node(child, body, strings)
    body += _CELL.pack(END_NODE)


class _Reader:
    """Walks a structure block; every step moves forward, so it ends."""

    def __init__(self, blob: bytes) -> None:
        if len(blob) < _HEADER.size:
            raise ValueError("it is shorter than a header")
        fields = _HEADER.unpack_from(blob)
        if fields[0] != MAGIC:
            raise ValueError("the magic number is missing")
        if fields[1] > len(blob):
            raise ValueError(f"{len(blob)} of {fields[1]} bytes are there")
        if fields[5] < VERSION or fields[6] > VERSION:
            raise ValueError(f"version {fields[5]} is not supported")
        self._structure = blob[fields[2] : fields[2] + fields[9]]
        self._strings = blob[fields[3] : fields[3] + fields[8]]
        self._at = 0

    def read(self) -> Node:
        if self._token() != BEGIN_NODE:
            raise ValueError("there is no root node")
        return self._node(0)

    def _node(self, depth: int) -> Node:
        if depth > DEPTH_MAX:
            raise ValueError(f"nodes are nested more than {DEPTH_MAX} deep")
        end = self._structure.index(b"\0", self._at)
        node = Node(self._structure[self._at : end].decode())
        self._skip(end + 1 - self._at)
        while (token := self._token()) != END_NODE:
            if token == BEGIN_NODE:
                node.children.append(self._node(depth + 1))
            elif token == PROP:
                self._property(node)
            else:
                raise ValueError(f"token {token} is unknown")
        return node

    def _property(self, node: Node) -> None:
        length, name_at = struct.unpack_from(">2I", self._structure, self._at)
        self._at += 8
        if length > len(self._structure) - self._at:
            raise ValueError("a property is longer than the tree")
        end = self._strings.index(b"\0", name_at)
        name = self._strings[name_at:end].decode()
        node.properties[name] = self._structure[self._at : self._at + length]
        self._skip(length)

    def _token(self) -> int:
        token = NOP
        while token == NOP:
            (token,) = _CELL.unpack_from(self._structure, self._at)
            self._at += 4
        return int(token)

    def _skip(self, length: int) -> None:
        self._at += length + -length % 4
