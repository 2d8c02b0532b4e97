"""Forwarding turned on and put back, on a tree of files and on a kernel."""

import os
import time
from pathlib import Path

import pytest
from tests.network.bridge.hosts import Host, host, needs_bridges
from tests.network.namespace import ip

from hospes.network.bridge import forwarding

USUAL = {
    "ipv4/ip_forward": "0",
    "ipv4/conf/all/accept_redirects": "1",
    "ipv4/conf/all/forwarding": "0",
    "ipv4/conf/eth0/forwarding": "0",
    "ipv6/conf/all/forwarding": "0",
    "ipv6/conf/all/accept_ra": "1",
    "ipv6/conf/eth0/forwarding": "0",
    "ipv6/conf/eth0/accept_ra": "1",
}


@pytest.fixture
def net(tmp_path: Path) -> Path:
    for name, value in USUAL.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{value}\n")
    return tmp_path


def settings(net: Path) -> dict[str, str]:
    return {name: (net / name).read_text().strip() for name in USUAL}


def test_what_is_noted_is_put_back(net: Path) -> None:
    noted = forwarding.before(net)
    assert noted == ["ipv4/ip_forward=0", "ipv6/conf/all/forwarding=0"]
    forwarding.enable(net)
    assert forwarding.before(net) == []
    changed = {"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1"}
    assert settings(net) == USUAL | changed
    forwarding.restore(noted, net)
    assert settings(net) == USUAL


def test_a_host_that_forwards_is_left_as_it_is(net: Path) -> None:
    for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        (net / name).write_text("1\n")
    forwarding.enable(net)
    assert forwarding.before(net) == []
    forwarding.restore([], net)
    assert settings(net)["ipv4/ip_forward"] == "1"


def test_a_host_without_ipv6(net: Path) -> None:
    for path in net.glob("ipv6/conf/*/*"):
        path.unlink()
    assert forwarding.before(net) == ["ipv4/ip_forward=0"]
    forwarding.enable(net)
    forwarding.restore(["ipv4/ip_forward=0", "ipv4/conf/gone/forwarding=1"], net)
    assert (net / "ipv4/ip_forward").read_text().strip() == "0"


ALL = """
from hospes.network.bridge import forwarding as f
import sys
noted = f.before()
f.enable()
print(*noted, flush=True)
sys.stdin.readline()
f.restore(noted)
"""


@needs_bridges
@pytest.mark.parametrize("odd", [
    ("ipv4/conf/up0/forwarding=1", "ipv4/conf/all/accept_redirects=0"),
    ("ipv6/conf/lo/forwarding=1", "ipv6/conf/up0/accept_ra=2"),
])  # fmt: skip
def test_a_kernel_is_as_it_was(odd: tuple[str, ...]) -> None:
    with host() as made:
        for one in odd:
            name, _, value = one.partition("=")
            made.run("sh", "-c", f"echo {value} >/proc/sys/net/{name}")
        learnt = learn_a_route(made)
        before = made.state()
        process = made.python(f"import sys; sys.path.insert(0, {SOURCES!r})\n{ALL}")
        assert process.stdout is not None
        assert "ipv4/ip_forward=0" in process.stdout.readline()
        assert made.run("cat", "/proc/sys/net/ipv4/ip_forward") == "1\n"
        assert made.run("cat", "/proc/sys/net/ipv6/conf/all/forwarding") == "1\n"
        assert learnt in made.run("ip", "-6", "route")
        assert process.communicate("\n", timeout=60)[1] == ""
        assert made.state() == before


SOURCES = os.fspath(Path(forwarding.__file__).parents[3])


ADVERTISE = """
import socket
with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as ours:
    ours.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    ours.bind(("fe80::9", 0, 0, socket.if_nametoindex("up0")))
    advertisement = bytes((134, 0, 0, 0, 64, 0)) + (9000).to_bytes(2) + bytes(8)
    ours.sendto(advertisement, ("ff02::1", 0, 0, socket.if_nametoindex("up0")))
"""


def learn_a_route(made: Host) -> str:
    """A router of the world tells of itself: some hosts have no other way out."""
    ip("-n", made.world, "address", "add", "fe80::9/64", "dev", "up0", "nodad")
    assert made.python(ADVERTISE, where=made.world).communicate(timeout=60)[1] == ""
    deadline = time.monotonic() + 30
    while "via fe80::9" not in made.run("ip", "-6", "route") and time.monotonic() < deadline:
        time.sleep(0.05)
    return "default via fe80::9 dev up0 proto ra"
