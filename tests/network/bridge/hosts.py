"""A host and the world behind it, as network namespaces of the test's own: nothing is left."""

import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.network.namespace import ip, why_not
from tests.ui.programs import command

HOST4, WORLD4 = "198.51.100.1", "198.51.100.2"
HOST6, WORLD6 = "2001:db8::1", "2001:db8::2"
SECONDS = 60.0
SETTINGS = ("ipv4/ip_forward", "ipv4/conf", "ipv6/conf")


def why_no_bridges() -> str:
    """Why no bridged networks can be made here; empty when they can."""
    for program, package in (("nft", "nftables"), ("bridge", "iproute2")):
        if shutil.which(program) is None:
            return f"{program} is not installed (package {package})"
    return why_not()


needs_bridges = pytest.mark.skipif(bool(why_no_bridges()), reason=why_no_bridges())


class Host:
    """A network namespace that is a host, with a device that leads to another, the world."""

    def __init__(self) -> None:
        self.name, self.world = (f"hospes-{uuid.uuid4().hex[:8]}" for _ in range(2))

    def run(self, *words: str, said: str = "", check: bool = True) -> str:
        """What a program says there."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.name, *words],
            input=said, capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, (words, done)
        return done.stdout

    def hospes(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`hospes` there."""
        return subprocess.run(
            ["ip", "netns", "exec", self.name, *command(*words)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3] / "src")},
        )  # fmt: skip

    def refusal(self, *words: str) -> str:
        """The one sentence with which it fails."""
        done = self.hospes(*words)
        assert done.returncode != 0, done
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    def python(self, script: str, *words: str, where: str = "") -> subprocess.Popen[str]:
        """A Python program there, or in the world."""
        return subprocess.Popen(
            ["ip", "netns", "exec", where or self.name, sys.executable, "-c", script, *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def devices(self) -> set[str]:
        lines = ip("-n", self.name, "-o", "link").splitlines()
        return {line.split(": ")[1].partition("@")[0] for line in lines}

    def state(self) -> str:
        """All of it that a network may have changed, as text."""
        settings = "; ".join(f"grep -rs . /proc/sys/net/{one}" for one in SETTINGS)
        asked = ("ip address", "ip route", "ip -6 route", "nft list ruleset", settings)
        texts = [self.run("sh", "-c", one, check=False) for one in asked]
        return re.sub(r"expires \d+sec", "expires", "\n".join(texts))


@contextmanager
def host() -> Iterator[Host]:
    """Both namespaces, joined."""
    made = Host()
    for name in (made.name, made.world):
        ip("netns", "add", name)
    try:
        ip("-n", made.name, "link", "add", "up0", "type", "veth", "peer", "up0",
           "netns", made.world)  # fmt: skip
        ends = ((made.name, HOST4, HOST6), (made.world, WORLD4, WORLD6))
        for name, address4, address6 in ends:
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", "up0", "addrgenmode", "none")
            ip("-n", name, "address", "add", f"{address4}/24", "dev", "up0")
            ip("-n", name, "address", "add", f"{address6}/64", "dev", "up0", "nodad")
            ip("-n", name, "link", "set", "up0", "up")
        yield made
    finally:
        for name in (made.name, made.world):
            ip("netns", "delete", name)
