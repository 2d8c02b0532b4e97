"""Sockets at paths that are longer than a socket's address."""

import os
from pathlib import Path

import pytest

from hospes.base import unix


@pytest.mark.parametrize("folders", [0, 5])
def test_a_path_of_any_length(tmp_path: Path, folders: int) -> None:
    place = tmp_path.joinpath(*["a-long-name-of-a-folder" * 2] * folders)
    place.mkdir(parents=True, exist_ok=True)
    with unix.listen(place / "socket", 1) as server, unix.connect(place / "socket", 5) as client:
        theirs, _ = server.accept()
        assert unix.peer_user(theirs) == os.getuid()
        theirs.close()
        assert client.recv(1) == b""
    assert (place / "socket").stat().st_mode & 0o777 == 0o600
