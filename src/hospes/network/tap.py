"""A TAP device of Linux as a card's back end, alone or in a bridge, gone with its descriptor."""

import errno
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from hospes.base.errors import HospesError, os_reason
from hospes.network.end import JOIN_SECONDS, NetworkEnd
from hospes.network.host_poll import READ
from hospes.network.limits import Limits
from hospes.network.vnet import FRAME_MAX_BYTES, VNET_BYTES, Offloads

TUN: Final = Path("/dev/net/tun")
DEVICES: Final = Path("/sys/class/net")
TEMPLATE: Final = "hospes%d"
"""The kernel puts a number in place of %d that is free."""
BATCH: Final = 64
# linux/if_tun.h, linux/sockios.h, linux/if.h
_TUNSETIFF, _TUNSETOFFLOAD, _TUNSETVNETHDRSZ = 0x400454CA, 0x400454D0, 0x400454D8
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCGIFINDEX, _SIOCBRADDIF = 0x8913, 0x8914, 0x8933, 0x89A2
_SIOCGIFMTU, _SIOCSIFMTU = 0x8921, 0x8922
_IFF_UP: Final = 1
_DENIED: Final = (errno.EPERM, errno.EACCES)


class Tap(NetworkEnd):
    """A NetworkBackend (devices/backends.py) whose frames the host's kernel takes and gives.

    With `device`, it is that one: one that exists and may be used, or a new one. With `bridge`, it
    is a new one in that bridge. What is made here the kernel removes when the process ends, however
    it does. HospesError when it cannot be had.
    """

    def __init__(
        self,
        device: str,
        bridge: str,
        *,
        ring: Callable[[], None] = lambda: None,
        remark: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._wanted, self._remark = device or f"for the bridge {bridge}", remark
        if bridge:
            check_bridge(bridge)
        self._fd = open_tun()
        try:
            self.device = self._claim(device or TEMPLATE)
            if bridge:
                self._put_into(bridge)
            self._switch_on()
        except BaseException:
            os.close(self._fd)
            raise
        super().__init__(Limits(), ring)
        self._told, self._held_back = -1, False
        self._lock = threading.Lock()
        self._poll.want(self._fd, 0, READ, self._ready)
        self._thread.start()

    def accept(self, offloads: int) -> None:
        """What the guest's driver takes (vnet.Offloads): the kernel does the rest."""
        super().accept(offloads)
        # The kernel refuses segments without checksums.
        kernels = offloads if offloads & Offloads.CSUM else 0
        if kernels != self._told:
            self._told = kernels
            fcntl.ioctl(self._fd, _TUNSETOFFLOAD, int(kernels))

    def send(self, frames: Sequence[bytes]) -> None:
        """Frames of the guest; never waits."""
        statistics = self.statistics
        with self._lock:
            if self._closing:
                return
            for frame in frames:
                try:
                    os.write(self._fd, frame)
                except OSError as error:
                    # A device that is down, a full queue, or a header that lies.
                    statistics.malformed += error.errno == errno.EINVAL
                    statistics.ignored += error.errno != errno.EINVAL
                    continue
                statistics.frames_from_guest += 1
                statistics.bytes_from_guest += len(frame)

    def close(self) -> None:
        """Let go of the device, which is gone if it was made here; may be called again."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
        self._poll.wake()
        self._thread.join(JOIN_SECONDS)
        os.close(self._fd)
        self._cable.clear()
        if not self._thread.is_alive():
            self._poll.close()

    def _holds_back(self) -> bool:
        return self._held_back

    def _claim(self, name: str) -> str:
        """The device's name, once it is ours."""
        request = struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR)
        try:
            answer = fcntl.ioctl(self._fd, _TUNSETIFF, request)
        except OSError as error:
            raise HospesError(
                f"the TAP device {self._wanted} cannot be had: {_why(error)}"
            ) from error
        fcntl.ioctl(self._fd, _TUNSETVNETHDRSZ, struct.pack("i", VNET_BYTES))
        return answer[:16].split(b"\0")[0].decode()

    def _put_into(self, bridge: str) -> None:
        """The device becomes a port of the bridge, with its MTU."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            index = struct.unpack("16xi", _asked(control, _SIOCGIFINDEX, self.device, 20))[0]
            mtu = struct.unpack("16xi", _asked(control, _SIOCGIFMTU, bridge, 20))[0]
            try:
                fcntl.ioctl(
                    control, _SIOCSIFMTU, struct.pack("16si12x", self.device.encode(), mtu)
                )
                fcntl.ioctl(control, _SIOCBRADDIF, struct.pack("16si12x", bridge.encode(), index))
            except OSError as error:
                raise HospesError(
                    f"the bridge {bridge} does not take a TAP device: {_why(error)}"
                ) from error

    def _switch_on(self) -> None:
        """Set the device up, if it is not."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            flags = struct.unpack("16xH", _asked(control, _SIOCGIFFLAGS, self.device, 18))[0]
            if flags & _IFF_UP:
                return
            request = struct.pack("16sH22x", self.device.encode(), flags | _IFF_UP)
            try:
                fcntl.ioctl(control, _SIOCSIFFLAGS, request)
            except OSError as error:
                raise HospesError(
                    f"the TAP device {self.device} is down, and this user may not change that; "
                    f"run 'ip link set {self.device} up' as root"
                ) from error

    def _serve(self) -> None:
        """The thread: frames from the kernel."""
        while not self._closing:
            for ready, events in self._poll.wait(None):
                ready(events)
            if self._held_back and self._cable.drained:
                self._held_back = False
                self._poll.want(self._fd, 0, READ, self._ready)
            self._cable.ring_if_due()

    def _ready(self, events: int) -> None:
        for _ in range(BATCH):
            try:
                frame = os.read(self._fd, FRAME_MAX_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                self._lost(error)
                return
            self._cable.emit(frame)
        if self._cable.full:
            self._hold_back()

    def _hold_back(self) -> None:
        """Read no more; the kernel drops what comes."""
        self._poll.want(self._fd, READ, 0, self._ready)
        self._held_back = True

    def _lost(self, error: OSError) -> None:
        """Someone has removed the device, or it is down."""
        if error.errno == errno.EIO:
            return
        self._poll.want(self._fd, READ, 0, self._ready)
        self._up = False
        self._remark(f"the TAP device {self.device} is gone: {(error.strerror or '').lower()}")
        self._ring()


def check_bridge(name: str) -> None:
    """HospesError unless there is such a bridge."""
    if not (DEVICES / name).exists():
        raise HospesError(
            f"there is no bridge {name} on this host; make it as root with 'ip link add {name} "
            f"type bridge', or see 'ip link'; a network made with 'hospes network create' is "
            f"--network switch:{name}"
        )
    if not (DEVICES / name / "bridge").exists():
        raise HospesError(f"{name} is a network device, but no bridge; name a bridge")


def open_tun() -> int:
    """A descriptor from which a device can be made; HospesError when there is none to be had."""
    try:
        return os.open(TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        remedy = "load the kernel's module ('modprobe tun') or use --network nat"
        if error.errno in _DENIED:
            remedy = "run as root, or use --network nat"
        why = os_reason(error)
        raise HospesError(f"{TUN} cannot be opened: {why}; {remedy}") from error


def _asked(control: socket.socket, request: int, device: str, count: int) -> bytes:
    """The beginning of what the kernel says of a device (struct ifreq)."""
    try:
        answer = fcntl.ioctl(control, request, struct.pack("16s24x", device.encode()))
    except OSError as error:
        raise HospesError(f"the network device {device} is gone; try again") from error
    return answer[:count]


def _why(error: OSError) -> str:
    if error.errno in _DENIED:
        return (
            "this user may not; run as root, or have root make a device for this user "
            "('ip tuntap add tap0 mode tap vnet_hdr user NAME') and use --network tap:tap0"
        )
    if error.errno == errno.EBUSY:
        return "another program uses it; end that program or name another"
    if error.errno == errno.EINVAL:
        return "it is no TAP device; name another"
    return f"{os_reason(error)}; name another"
