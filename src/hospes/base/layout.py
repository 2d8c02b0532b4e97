"""Structures of 64-bit words that Python and generated code share in one block of memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from hospes.base.bits import U64_MAX

WORD_BYTES = 8


class Array:
    """A fixed run of u64 words inside a Struct; stores wrap to 64 bits."""

    __slots__ = ("_words",)

    def __init__(self, words: memoryview) -> None:
        self._words = words

    def __getitem__(self, index: int) -> int:
        value: int = self._words[index]
        return value

    def __setitem__(self, index: int, value: int) -> None:
        self._words[index] = value & U64_MAX

    def __len__(self) -> int:
        return len(self._words)

    def __iter__(self) -> Iterator[int]:
        return iter(self._words.tolist())


class Word:
    """One u64 field of a Struct; a store wraps to 64 bits."""

    def __init__(self) -> None:
        self.index = -1

    def __get__(self, owner: Struct | None, kind: type[Struct]) -> int:
        if owner is None:
            raise AttributeError("a word has a value only in an instance")
        value: int = owner.words[self.index]
        return value

    def __set__(self, owner: Struct, value: int) -> None:
        owner.words[self.index] = value & U64_MAX


class Words:
    """A field of a Struct that is an array of u64 of the given length."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.index = -1
        self.name = ""

    def __set_name__(self, owner: type[Struct], name: str) -> None:
        self.name = name

    def __get__(self, owner: Struct | None, kind: type[Struct]) -> Array:
        if owner is None:
            raise AttributeError("an array has values only in an instance")
        array = Array(owner.words[self.index : self.index + self.length])
        owner.__dict__[self.name] = array
        return array


class Struct:
    """A block of u64 words with named fields, in the order of declaration.

    `offsets` maps a field's name to its byte offset and `lengths` to its number of words; the
    compiler reads both. `words` is a writable memoryview of format 'Q' over the block.
    """

    offsets: ClassVar[dict[str, int]] = {}
    lengths: ClassVar[dict[str, int]] = {}
    size_bytes: ClassVar[int] = 0

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        offsets, lengths = dict(cls.offsets), dict(cls.lengths)
        index = cls.size_bytes // WORD_BYTES
        for name, field in vars(cls).items():
            if isinstance(field, Word | Words):
                length = field.length if isinstance(field, Words) else 1
                field.index = index
                offsets[name], lengths[name] = index * WORD_BYTES, length
                index += length
        cls.offsets, cls.lengths, cls.size_bytes = offsets, lengths, index * WORD_BYTES

    def __init__(self, block: memoryview | None = None) -> None:
        if block is None:
            block = memoryview(bytearray(self.size_bytes))
        self.words = block.cast("B")[: self.size_bytes].cast("Q")

    def rebase(self, block: memoryview) -> None:
        """Move the words into another block, which is at least as large; values are kept."""
        words = block.cast("B")[: self.size_bytes].cast("Q")
        words[:] = self.words
        self.words = words
        for name in [name for name, held in self.__dict__.items() if isinstance(held, Array)]:
            del self.__dict__[name]
