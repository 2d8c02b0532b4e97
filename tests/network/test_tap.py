"""TAP devices and bridges, in a network namespace of the test's own: nothing of them is left."""

import errno
import os
import signal
import stat
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.network.namespace import ip, needs_namespaces

from hospes.base.errors import HospesError
from hospes.network import tap

ROOT = Path(__file__).parents[2]
SECONDS = 30.0
GUEST = """
import socket, struct, sys, time
from hospes.base.errors import HospesError
from hospes.network import arp
from hospes.network.tap import Tap
device, bridge = sys.argv[1:]
MAC = bytes((2, 0, 0, 0, 0, 7))
OURS, BRIDGE = socket.inet_aton("10.9.0.7"), socket.inet_aton("10.9.0.1")
try:
    ours = Tap(device, bridge)
except HospesError as error:
    sys.exit(str(error))
ours.accept(7)
ours.accept(0)
deadline = time.monotonic() + 10
while time.monotonic() < deadline:
    ours.send([arp.request(MAC, OURS, BRIDGE)])
    time.sleep(0.02)
    if any(frame[24:26] == b"\\x08\\x06" and frame[33] == 2 for frame in ours.receive(100)):
        print("answered", ours.device, flush=True)
        break
sys.stdin.read()
ours.close()
ours.close()
"""

class Namespace:
    """A network namespace, and programs in it."""

    def __init__(self) -> None:
        self.name = f"hospes-{uuid.uuid4().hex[:8]}"

    def ip(self, *words: str) -> str:
        return ip("-n", self.name, *words)

    def devices(self) -> set[str]:
        lines = self.ip("-o", "link").splitlines()
        return {line.split(": ")[1].partition("@")[0] for line in lines}

    def start(self, script: str, *words: str) -> subprocess.Popen[str]:
        command = ["ip", "netns", "exec", self.name, sys.executable, "-c", script, *words]
        paths = os.pathsep.join((str(Path(tap.__file__).parents[2]), str(ROOT)))
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=os.environ | {"PYTHONPATH": paths},
        )  # fmt: skip

    def refusal(self, device: str, bridge: str) -> str:
        process = self.start(GUEST, device, bridge)
        _, said = process.communicate("", timeout=SECONDS)
        assert process.returncode == 1
        assert said.count("\n") == 1
        return said


@contextmanager
def with_bridge(bridge: str, address: str, *settings: str) -> Iterator[Namespace]:
    """A namespace with a bridge that has an address, and is up."""
    made = Namespace()
    ip("netns", "add", made.name)
    try:
        made.ip("link", "set", "lo", "up")
        made.ip("link", "add", bridge, "type", "bridge")
        made.ip("address", "add", address, "dev", bridge)
        made.ip("link", "set", bridge, "up", *settings)
        yield made
    finally:
        ip("netns", "delete", made.name)


@contextmanager
def bridged() -> Iterator[Namespace]:
    """A namespace with the bridge br0, in which nothing else may be left."""
    with with_bridge("br0", "10.9.0.1/24", "mtu", "1400") as made:
        yield made
        assert made.devices() == {"lo", "br0"}


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    with bridged() as made:
        yield made


@needs_namespaces
@pytest.mark.parametrize("number", [signal.SIGKILL, None], ids=["killed", "closed"])
def test_a_device_in_a_bridge_is_gone_with_its_process(namespace: Namespace, number) -> None:
    process = namespace.start(GUEST, "", "br0")
    assert process.stdout is not None
    assert process.stdout.readline() == "answered hospes0\n"
    told = namespace.ip("-d", "link", "show", "hospes0")
    assert "master br0" in told
    assert "mtu 1400" in told
    if number is None:
        assert process.communicate("", timeout=SECONDS)[1] == ""
    else:
        process.send_signal(number)
        process.communicate(timeout=SECONDS)
    deadline = time.monotonic() + SECONDS
    while "hospes0" in namespace.devices() and time.monotonic() < deadline:
        time.sleep(0.05)


@needs_namespaces
def test_a_device_that_was_there_stays(namespace: Namespace) -> None:
    namespace.ip("tuntap", "add", "t0", "mode", "tap", "vnet_hdr")
    namespace.ip("link", "set", "t0", "master", "br0")
    process = namespace.start(GUEST, "t0", "")
    assert process.stdout is not None
    assert process.stdout.readline() == "answered t0\n"
    assert "the TAP device t0 cannot be had: another program uses it" in namespace.refusal("t0", "")
    process.communicate("", timeout=SECONDS)
    assert "t0" in namespace.devices()
    namespace.ip("link", "del", "t0")


@needs_namespaces
def test_what_cannot_be_had(namespace: Namespace) -> None:
    said = namespace.refusal("", "br1")
    assert said.startswith("there is no bridge br1 on this host; make it as root with 'ip link add")
    assert "lo is a network device, but no bridge" in namespace.refusal("", "lo")
    namespace.ip("tuntap", "add", "tun0", "mode", "tun")
    assert "tun0 cannot be had: it is no TAP device" in namespace.refusal("tun0", "")
    namespace.ip("link", "del", "tun0")


OTHER_USER = "65534"
AS_OTHER = """
import os, sys
from pathlib import Path
from hospes.network import arp, tap
tap.TUN = Path(sys.argv.pop())
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
"""


@needs_namespaces
def test_a_user_has_what_was_made_for_them(namespace: Namespace, tmp_path: Path) -> None:
    namespace.ip("tuntap", "add", "t0", "mode", "tap", "user", OTHER_USER)
    namespace.ip("tuntap", "add", "t1", "mode", "tap", "user", OTHER_USER)
    namespace.ip("link", "set", "t0", "master", "br0", "up")
    node = tmp_path / "tun"
    os.mknod(node, 0o600 | stat.S_IFCHR, os.stat(tap.TUN).st_rdev)
    # As on most hosts: whoever may open it has no rights over devices by that.
    os.chown(node, int(OTHER_USER), -1)
    for above in (tmp_path, *tmp_path.parents[:3]):
        os.chmod(above, above.stat().st_mode | stat.S_IXOTH)
    said = {}
    for words in (("t0", ""), ("t1", ""), ("t2", ""), ("", "br0")):
        process = namespace.start(AS_OTHER + GUEST, *words, str(node))
        said[words] = process.communicate("", timeout=SECONDS)
    assert said["t0", ""] == ("answered t0\n", "")
    assert "run 'ip link set t1 up' as root" in said["t1", ""][1]
    assert "have root make a device for this user ('ip tuntap add" in said["t2", ""][1]
    assert "for the bridge br0 cannot be had: this user may not" in said["", "br0"][1]
    for device in ("t0", "t1"):
        namespace.ip("link", "del", device)


def test_a_host_without_the_devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tap, "TUN", tmp_path / "tun")
    with pytest.raises(HospesError, match=r"cannot be opened: no such file.*modprobe tun"):
        tap.Tap("t0", "")

    def deny(*words: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tap.os, "open", deny)
    with pytest.raises(HospesError, match="permission denied; run as root, or use --network nat"):
        tap.Tap("t0", "")
