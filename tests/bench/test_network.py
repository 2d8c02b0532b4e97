"""The network bench's two ends: what the programs are made of, and what the servers do."""

import socket
import struct
from contextlib import closing

from bench.executable import HEADERS_BYTES
from bench.network_programs import PIECE_BYTES, SOURCES, STREAM_BYTES, network_program
from bench.network_server import SERVERS, NetworkServers

PORT = 0x1234
SECONDS = 60.0


def test_a_program_knows_the_hosts_port_and_has_room_for_a_piece() -> None:
    assert SOURCES.keys() == SERVERS.keys()
    for name in SOURCES:
        made = network_program(name, PORT)
        assert made[-16:] == b"\x02\0\x12\x34" + bytes((10, 0, 2, 2)) + bytes(8)
        size, whole = struct.unpack_from("<QQ", made, HEADERS_BYTES - 24)
        assert size == len(made)
        assert whole == size + PIECE_BYTES


def test_the_servers() -> None:
    with NetworkServers() as servers:
        with closing(_connect(servers, "receive")) as link:
            assert _count(link) == STREAM_BYTES
        with closing(_connect(servers, "connect")) as link:
            assert _count(link) == 1
        for missing in (0, 1):
            with closing(_connect(servers, "send")) as link:
                for _ in range(STREAM_BYTES // PIECE_BYTES):
                    link.sendall(bytes(PIECE_BYTES - missing))
                link.shutdown(socket.SHUT_WR)
                assert _count(link) == (not missing)


def test_nothing_listens_afterwards() -> None:
    with NetworkServers() as servers:
        ports = list(servers.ports.values())
    for port in ports:
        with closing(socket.socket()) as link:
            assert link.connect_ex(("127.0.0.1", port)) != 0


def _connect(servers: NetworkServers, name: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", servers.ports[name]), SECONDS)


def _count(link: socket.socket) -> int:
    return sum(iter(lambda: len(link.recv(PIECE_BYTES)), 0))
