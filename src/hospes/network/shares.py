"""A bounded table for all stations of a network: whoever has most in it gives way."""

from collections.abc import Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class SharedTable(Generic[K, V]):
    """Each thing is held for a station, which is a port of a switch, or 0 where there is none.

    Of a station that holds more than every other, the thing used longest ago is the first to go; so
    one that wants everything drives out nothing but its own (max-min fairness).
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rows: dict[K, V] = {}
        self._owners: dict[K, int] = {}
        self._stations: dict[int, dict[K, None]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: K) -> V | None:
        """What has this key; None when there is nothing."""
        return self._rows.get(key)

    def items(self) -> Iterator[tuple[K, V]]:
        """All keys with what they have, as it is now."""
        return iter(list(self._rows.items()))

    def oldest(self, station: int) -> tuple[K, V] | None:
        """Of a station's, the one used longest ago."""
        for key in self._stations.get(station, ()):
            return key, self._rows[key]
        return None

    def put(self, key: K, value: V, station: int) -> V | None:
        """Hold it, as the one used last; what has given way for it is told, and gone."""
        self.pop(key)
        self._rows[key], self._owners[key] = value, station
        self._stations.setdefault(station, {})[key] = None
        return self.give_way() if len(self._rows) > self._limit else None

    def pop(self, key: K) -> V | None:
        """Hold it no more; None when nothing has this key."""
        station = self._owners.pop(key, None)
        if station is None:
            return None
        held = self._stations[station]
        del held[key]
        if not held:
            del self._stations[station]
        return self._rows.pop(key)

    def give_way(self) -> V:
        """The first to go, gone; of stations that hold as much, the one served last gives."""
        most = max(map(len, self._stations.values()))
        last = next(reversed(self._rows))
        own = self._owners[last]
        # With one thing each, what has just come is the station's only one, and stays.
        if len(self._stations[own]) == most > 1:
            station = own
        else:
            station = next(each for each, held in self._stations.items() if len(held) == most)
        key = next(iter(self._stations[station]))
        value = self.pop(key)
        assert value is not None
        return value

    def clear(self) -> None:
        """Hold nothing."""
        self._rows.clear()
        self._owners.clear()
        self._stations.clear()
