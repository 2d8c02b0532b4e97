"""A Linux kernel's TCP/IP behind a firewall, in a network namespace: what its programs see."""

import hashlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from tests.network.namespace import Bell, KernelGuest, needs_namespaces
from tests.network.test_kernel_guest import (
    BULK_BYTES,
    CLIENT,
    DATAGRAM,
    ERROR,
    HOSTS,
    PARALLEL,
    PING,
    Server,
    block,
)

from hospes.base.clock import HostClock
from hospes.machine.firewall import FirewalledNetwork
from hospes.network.plan import Plan
from hospes.network.user_network import UserNetwork
from hospes.spec.firewall import FirewallStatus
from hospes.spec.firewall_rules import firewall_of

pytestmark = needs_namespaces
REFUSED, UNREACHABLE, FORBIDDEN = "111", "113", "13"

ERROR_UDP = """
import socket, sys
client = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(5)
client.connect((sys.argv[1], 9))
try:
    client.send(b"x")
    client.recv(9)
except OSError as error:
    print(error.errno)
"""

RESOLVE = """
import socket, struct, sys
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(5)
labels = b"".join(bytes((len(one),)) + one.encode() for one in sys.argv[1].split("."))
client.sendto(struct.pack(">HHHHHH", 5, 256, 1, 0, 0, 0) + labels + b"\\0\\0\\1\\0\\1",
              ("10.0.2.3", 53))
print(socket.inet_ntoa(client.recv(512)[-4:]))
"""

class Guarded(FirewalledNetwork):
    """The firewall before a NAT, for a kernel as its guest."""

    def __init__(self, nat: UserNetwork, bell: Bell) -> None:
        self.plan, self.nat = nat.plan, nat
        rules = firewall_of(())
        assert rules is not None
        super().__init__(
            nat, rules, publications=lambda: (), servers=(nat.plan.dns4, nat.plan.dns6),
            ring=bell.ring, clock=HostClock(),
        )  # fmt: skip

    def use(self, *texts: str) -> None:
        """These rules, for a guest that begins anew."""
        rules = firewall_of(texts)
        assert rules is not None
        self.reset()
        self.change(rules)

    def passed(self, rule: str) -> int:
        """How many packets a rule has counted."""
        status: FirewallStatus = self.status()
        return sum(row.packets for row in status.rows if row.rule == rule)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[KernelGuest, Guarded]]:
    bell = Bell()
    nat = UserNetwork(Plan(allow_host=True), ring=bell.ring)
    wall = Guarded(nat, bell)
    with KernelGuest(wall, bell) as made:
        made.give_addresses()
        yield made, wall
    nat.close()
    bell.close()
    assert nat.statistics.malformed == 0


@pytest.mark.parametrize("host", HOSTS)
def test_what_is_allowed_works(
    pair: tuple[KernelGuest, Guarded], server: Server, host: str
) -> None:
    guest, wall = pair
    wall.use("deny:in", f"allow:out:tcp:{server.port}")
    assert guest.run(CLIENT, host, str(server.port), "u", str(BULK_BYTES // 4)) == "True\n"
    assert guest.run(PARALLEL, host, str(server.port), "100").strip() == "100"
    assert wall.passed(f"tcp:{server.port}") > 100
    assert wall.passed("(malformed)") == 0


@pytest.mark.parametrize("host", HOSTS)
def test_what_is_not_fails_at_once(
    pair: tuple[KernelGuest, Guarded], server: Server, host: str
) -> None:
    guest, wall = pair
    wall.use(f"deny:out:{server.port}", "deny:out:udp:9")
    assert guest.run(ERROR, host, str(server.port), seconds=4).strip() == REFUSED
    unreachable = FORBIDDEN if ":" in host else UNREACHABLE
    assert guest.run(ERROR_UDP, host, seconds=4).strip() == unreachable


@pytest.mark.parametrize("host", HOSTS)
def test_pings_and_large_datagrams_pass_in_fragments(
    pair: tuple[KernelGuest, Guarded], host: str
) -> None:
    guest, wall = pair
    wall.use("deny:in", "allow:out:icmp,out:udp")
    assert guest.run(PING, host, "4000") == "True\n"
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(kind, socket.SOCK_DGRAM) as echo:
        echo.bind(("::1" if ":" in host else "127.0.0.1", 0))
        echo.settimeout(20)

        def answer() -> None:
            echo.sendto(*echo.recvfrom(70000))

        thread = threading.Thread(target=answer)
        thread.start()
        assert guest.run(DATAGRAM, host, str(echo.getsockname()[1])) == "True\n"
        thread.join()


def test_a_name_opens_the_way(pair: tuple[KernelGuest, Guarded], server: Server) -> None:
    guest, wall = pair
    wall.use(f"allow:out:tcp:*.internal:{server.port}")
    assert guest.run(ERROR, "10.0.2.2", str(server.port)).strip() == REFUSED
    assert guest.run(RESOLVE, "host.internal").strip() == "10.0.2.2"
    assert guest.run(ERROR, "10.0.2.2", str(server.port)).strip() == "connected"
    assert guest.run(ERROR, "fd00::2", str(server.port)).strip() == REFUSED


@pytest.mark.parametrize(
    ("what", "size", "rule", "low"),
    [("u", 4 << 20, "rate:out:20M", 1.4), ("d", BULK_BYTES, "rate:in:200M", 1.8)],
)
def test_a_rate_is_kept_and_nothing_lost(
    pair: tuple[KernelGuest, Guarded], server: Server, what: str, size: int, rule: str, low: float
) -> None:
    guest, wall = pair
    wall.use(rule)
    begun = time.monotonic()
    told = guest.run(CLIENT, "10.0.2.2", str(server.port), what, str(size)).strip()
    assert told in ("True", hashlib.sha256(block() * (BULK_BYTES >> 20)).hexdigest())
    assert low < time.monotonic() - begun < 10 * low
    assert not any(row.dropped for row in wall.status().rows)
