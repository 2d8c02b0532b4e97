"""A guest whose TCP/IP is the kernel's: a network namespace with a TAP device as its card."""

import fcntl
import os
import select
import shutil
import struct
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from types import TracebackType

import pytest

from hospes.devices.backends import Delaying
from hospes.network.user_network import UserNetwork

TUN = Path("/dev/net/tun")
TUNSETIFF, TUNSETOFFLOAD, TUNSETVNETHDRSZ = 0x400454CA, 0x400454D0, 0x400454D8
TAP, NO_PI, VNET_HDR = 0x0002, 0x1000, 0x4000
BATCH = 64
FRAME_BYTES = 70000


def why_not() -> str:
    """Why no such guest can be made here; empty when one can."""
    if os.geteuid() != 0:
        return "making network namespaces takes root"
    if shutil.which("ip") is None:
        return "ip is not installed (package iproute2)"
    if not TUN.exists():
        return f"{TUN} does not exist (kernel module tun)"
    return ""


needs_namespaces = pytest.mark.skipif(bool(why_not()), reason=why_not())


def ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
    return done.stdout


class KernelGuest:
    """A context: the namespace exists inside, nothing of it is left afterwards.

    `offloads` are those of the guest's card in both directions (vnet.Offloads).
    """

    def __init__(self, network: UserNetwork, bell: "Bell", offloads: int = 7) -> None:
        self._network, self._bell, self._offloads = network, bell, offloads
        self.name = f"hospes-{uuid.uuid4().hex[:8]}"
        self._device = f"hp{uuid.uuid4().hex[:8]}"
        self._ending = False

    def __enter__(self) -> "KernelGuest":
        self._tap = os.open(TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        ip("netns", "add", self.name)
        try:
            request = struct.pack("16sH22x", self._device.encode(), TAP | NO_PI | VNET_HDR)
            fcntl.ioctl(self._tap, TUNSETIFF, request)
            fcntl.ioctl(self._tap, TUNSETVNETHDRSZ, struct.pack("i", 12))
            fcntl.ioctl(self._tap, TUNSETOFFLOAD, self._offloads)
            ip("link", "set", self._device, "netns", self.name)
            self._network.accept(self._offloads)
            self._thread = threading.Thread(target=self._pump, daemon=True)
            self._thread.start()
            self.ip("link", "set", "lo", "up")
            self.ip("link", "set", self._device, "mtu", str(self._network.plan.mtu), "up")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._ending = True
        self._bell.ring()
        if hasattr(self, "_thread"):
            self._thread.join(5)
        os.close(self._tap)
        ip("netns", "delete", self.name)

    def ip(self, *words: str) -> str:
        """`ip` inside."""
        return ip("-n", self.name, *words)

    def give_addresses(self) -> None:
        """Those of the plan, without DHCP; the route of IPv6 is the router's to tell."""
        self.ip("address", "add", "10.0.2.15/24", "dev", self._device)
        self.ip("route", "add", "default", "via", "10.0.2.2")
        self.ip("address", "add", "fd00::15/64", "dev", self._device, "nodad")

    @property
    def device(self) -> str:
        """The card's name inside."""
        return self._device

    def start(self, script: str, *words: str) -> subprocess.Popen[str]:
        """Python inside."""
        command = ["ip", "netns", "exec", self.name, sys.executable, "-c", script, *words]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, script: str, *words: str, seconds: float = 60) -> str:
        """Python inside, to its end; returns what it printed."""
        process = self.start(script, *words)
        try:
            output, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            output, errors = process.communicate()
            raise AssertionError(f"no end after {seconds} s: {output} {errors}") from None
        assert process.returncode == 0, errors
        return output

    def _pump(self) -> None:
        """The card: frames from the device to the network and back."""
        poll = select.poll()
        poll.register(self._tap, select.POLLIN)
        poll.register(self._bell.fd, select.POLLIN)
        backlog: list[bytes] = []
        while not self._ending:
            poll.poll(0 if backlog or self._network.waiting else self._patience())
            self._bell.clear()
            frames = self._read()
            if frames:
                self._network.send(frames)
            backlog = self._write(backlog or self._network.receive(BATCH))

    def _patience(self) -> int:
        """Milliseconds until something is due by itself."""
        if not isinstance(self._network, Delaying):
            return 1000
        self._network.tick()
        due_ns = self._network.due_in_ns()
        return 1000 if due_ns is None else min(1000, due_ns // 1_000_000 + 1)

    def _read(self) -> list[bytes]:
        frames = []
        for _ in range(BATCH):
            try:
                frames.append(os.read(self._tap, FRAME_BYTES))
            except OSError:
                break
        return frames

    def _write(self, frames: list[bytes]) -> list[bytes]:
        for number, frame in enumerate(frames):
            try:
                os.write(self._tap, frame)
            except BlockingIOError:
                return frames[number:]
            except OSError:
                continue
        return []


class Bell:
    """What the network rings."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def ring(self) -> None:
        """Wake the pump."""
        os.eventfd_write(self.fd, 1)

    def clear(self) -> None:
        """It has been heard."""
        try:
            os.eventfd_read(self.fd)
        except BlockingIOError:
            return

    def close(self) -> None:
        """No more."""
        os.close(self.fd)
