"""Linux programs that use the guest's network: a stream each way, and many connections.

They do nothing but the system calls, in pieces as large as iperf3's and larger, so that the guest's
own work stays small beside the machine's. Exit code 1: a call failed, or something was missing.
"""

import socket
import struct
from typing import Final

from bench.executable import executable

HOST_ADDRESS: Final = "10.0.2.2"
"""The host as both programs' NAT has it."""
GUEST_ADDRESS: Final = "10.0.2.15/24"
PIECE_BYTES: Final = 256 << 10
STREAM_BYTES: Final = 256 << 20
CONNECTIONS: Final = 500

_COMMON: Final = f"""
    .equ PIECE, {PIECE_BYTES}
    .equ BYTES, {STREAM_BYTES}
    .equ CONNECTIONS, {CONNECTIONS}
    j begin
open:                           # a connected socket in s0
    li a0, 2                    # AF_INET
    li a1, 1                    # SOCK_STREAM
    li a2, 0
    li a7, 198                  # socket
    ecall
    bltz a0, failed
    mv s0, a0
    la a1, address
    li a2, 16
    li a7, 203                  # connect
    ecall
    bnez a0, failed
    ret
read:                           # up to PIECE bytes; how many in a0
    mv a0, s0
    la a1, end
    li a2, PIECE
    li a7, 63
    ecall
    bltz a0, failed
    ret
failed:
    li a0, 1
    j leave
done:
    li a0, 0
leave:
    li a7, 93                   # exit
    ecall
begin:
"""

_SEND: Final = """
    call open
    li s1, BYTES
more:
    mv a0, s0
    la a1, end
    li a2, PIECE
    bgeu s1, a2, write
    mv a2, s1
write:
    li a7, 64
    ecall
    blez a0, failed
    sub s1, s1, a0
    bnez s1, more
    mv a0, s0
    li a1, 1                    # SHUT_WR
    li a7, 210                  # shutdown
    ecall
    call read                   # one byte, once all has arrived
    addi a0, a0, -1
    bnez a0, failed
    j done
"""

_RECEIVE: Final = """
    call open
    li s1, BYTES
more:
    call read
    sub s1, s1, a0
    bnez a0, more
    bnez s1, failed
    j done
"""

_CONNECT: Final = """
    li s1, CONNECTIONS
more:
    call open
    call read
    addi a0, a0, -1
    bnez a0, failed
    call read
    bnez a0, failed
    mv a0, s0
    li a7, 57                   # close
    ecall
    addi s1, s1, -1
    bnez s1, more
    j done
"""

SOURCES: Final = {"send": _SEND, "receive": _RECEIVE, "connect": _CONNECT}


def network_program(name: str, port: int) -> bytes:
    """The program of that name, which talks to a port of the host's."""
    there = struct.pack(">H4s8x", port, socket.inet_aton(HOST_ADDRESS))
    address = b"\x02\0" + there
    words = "\n".join(f"    .word {word:#x}" for (word,) in struct.iter_unpack("<I", address))
    return executable(f"{_COMMON}{SOURCES[name]}address:\n{words}", PIECE_BYTES)
