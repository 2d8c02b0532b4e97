"""In the guest: does by vsock what the first line of each connection says."""

import errno
import socket
import threading
import zlib

PORT, PACKET_PORT, HOST = 1000, 1001, 2
PIECE = bytes(range(256)) * 256
SIZE = 65536


def serve(connection):
    with connection, connection.makefile("rwb", buffering=0) as stream:
        words = stream.readline().decode().split()
        if words:
            globals()[words[0]](connection, *words[1:])


def echo(connection):
    while data := connection.recv(SIZE):
        connection.sendall(data)


def sink(connection):
    digest = 0
    while data := connection.recv(SIZE):
        digest = zlib.crc32(data, digest)
    connection.sendall(str(digest).encode())


def source(connection, count):
    """So many bytes and the end; after the caller's own, nothing more can be said."""
    for number in range(int(count) // SIZE):
        connection.sendall(number.to_bytes(4, "big") + PIECE[4:])


def call(connection, port, kind="stream"):
    """Call the host; what it says until its end goes back by the connection that asked."""
    type = socket.SOCK_SEQPACKET if kind == "packets" else socket.SOCK_STREAM
    with socket.socket(socket.AF_VSOCK, type) as host:
        try:
            host.connect((HOST, int(port)))
        except OSError as error:
            connection.sendall(errno.errorcode[error.errno].encode())
            return
        host.sendall(b"guest here")
        host.shutdown(socket.SHUT_WR)
        while data := host.recv(SIZE):
            connection.sendall(data)


def many(connection, count, port):
    """Open so many connections to the host at once, and say over each which it is."""
    opened = []
    for number in range(int(count)):
        one = socket.socket(socket.AF_VSOCK)
        one.connect((HOST, int(port)))
        one.sendall(number.to_bytes(4, "big"))
        opened.append(one)
    answers = [one.recv(4) for one in opened]
    right = sum(answer == (n + 1).to_bytes(4, "big") for n, answer in enumerate(answers))
    connection.sendall(str(right).encode())


def listen(port, type, serve_one):
    with socket.socket(socket.AF_VSOCK, type) as server:
        server.bind((socket.VMADDR_CID_ANY, port))
        server.listen(256)
        while True:
            connection, _ = server.accept()
            threading.Thread(target=serve_one, args=(connection,), daemon=True).start()


def messages(connection):
    with connection:
        while message := connection.recv(SIZE):
            connection.send(message[::-1])


threading.Thread(target=listen, args=(PACKET_PORT, socket.SOCK_SEQPACKET, messages)).start()
listen(PORT, socket.SOCK_STREAM, serve)
