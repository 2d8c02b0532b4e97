"""A folder with a server and a client."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from tests.folders.client import Client

from hospes.folders.host_tree import HostTree
from hospes.folders.ownership import Owners
from hospes.folders.server import Server

Serve = Callable[..., Server]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shared folder; beside it is what the guest must not reach."""
    path = tmp_path / "folder"
    path.mkdir()
    (tmp_path / "secret").write_text("secret\n")
    return path


@pytest.fixture
def serve(folder: Path) -> Iterator[Serve]:
    """Makes a server of the folder, closed at the end."""
    with ExitStack() as stack:

        def make(uid: int = 0, gid: int = 0, **options) -> Server:
            tree = HostTree(folder, Owners.of_this_process(uid, gid), **options)
            return stack.enter_context(closing(Server(tree, uid)))

        yield make


@pytest.fixture
def client(serve: Serve) -> Client:
    """Speaks to a server of the folder."""
    return Client(serve())
