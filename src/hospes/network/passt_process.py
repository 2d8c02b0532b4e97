"""How passt is started, and what a user is told when it does not start."""

import ipaddress
import re
import socket
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from hospes.base.errors import HospesError
from hospes.base.programs import find_program
from hospes.network import resolvers
from hospes.network.host_address import to_text
from hospes.network.host_published import listening
from hospes.network.published import Publication

START_SECONDS: Final = 10.0
END_SECONDS: Final = 2.0
"""How long passt may take to be there, and to be gone."""
PAUSE_SECONDS: Final = 0.01
RESOLV_CONF: Final = Path("/etc/resolv.conf")
BEHIND_RESOLVED: Final = Path("/run/systemd/resolve/resolv.conf")
"""The name servers that systemd-resolved asks, where it is the host's only one itself."""
MISSING: Final = (
    "passt is not installed; install it ('apt-get install passt') or use --network nat"
)
_OPTIONS: Final = {"tcp": "--tcp-ports", "udp": "--udp-ports"}
_NO_REASON: Final = re.compile(r"Failed to send \d+ bytes to syslog|Don't run as root\b.*|\s*")
"""Lines that say nothing about why passt has ended."""
_REASON_MAX: Final = 200


def start(publications: Sequence[Publication], *, allow_host: bool) -> socket.socket:
    """A connection to a passt of its own, which is ready; HospesError if there is none.

    It is nobody's child, as it leaves its starter when it is ready. When the connection is closed,
    it ends.
    """
    program = find_program("passt")
    if not program:
        raise HospesError(MISSING)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with theirs:
            servers = []
            if not allow_host:
                servers = servers_to_tell(_read(RESOLV_CONF), _read(BEHIND_RESOLVED))
            words = arguments(theirs.fileno(), publications, servers, allow_host=allow_host)
            _run([program, *words], theirs.fileno(), publications)
    except BaseException:
        ours.close()
        raise
    return ours


def see_off(connection: socket.socket, publications: Sequence[Publication]) -> None:
    """Tell passt that this was all, and wait until it is gone, with its ports."""
    deadline = time.monotonic() + END_SECONDS
    with connection, suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while (left := deadline - time.monotonic()) > 0:
            connection.settimeout(left)
            if not connection.recv(1 << 16):
                break
    # The kernel closes what an ending process has one by one.
    for publication in publications:
        while not _is_free(publication) and time.monotonic() < deadline:
            time.sleep(PAUSE_SECONDS)


def _is_free(publication: Publication) -> bool:
    """Whether a host's port can be had."""
    try:
        listening(publication).close()
    except HospesError:
        return False
    return True


def arguments(
    fd: int, publications: Iterable[Publication], servers: Iterable[str], *, allow_host: bool
) -> list[str]:
    """What passt is called with; `servers` are name servers for the guest, [] the host's own.

    All versions that can be handed a connection (--fd) know these options.
    """
    words = ["--quiet", "--fd", str(fd)]
    if not allow_host:
        words.append("--no-map-gw")
    for server in servers:
        words += ["--dns", server]
    wanted = [(one.protocol, f"{one.address}/{one.port}:{one.guest_port}") for one in publications]
    for protocol, option in _OPTIONS.items():
        # Without a word about UDP, passt leads the TCP ports' numbers there as well.
        ports = [text for each, text in wanted if each == protocol] or ["none"]
        for text in ports:
            words += [option, text]
    return words


def servers_to_tell(own: str, behind: str) -> list[str]:
    """The name servers to tell the guest, from the host's resolv.conf and that behind it.

    passt tells the host's own, but for those on its loopback, which the guest does not reach: where
    there are no others, these are the ones that the host's own asks.
    """
    if any(map(_is_reachable, resolvers.parse(own))):
        return []
    return [to_text(each) for each in resolvers.parse(behind) if _is_reachable(each)]


def reason(said: str) -> str:
    """Why passt ended, in its own words; "" if it did not say."""
    lines = [line.strip() for line in said.splitlines() if not _NO_REASON.fullmatch(line)]
    unknown = [line for line in lines if "unrecognized option" in line]
    return (unknown or lines or [""])[-1][:_REASON_MAX]


def _run(command: list[str], fd: int, publications: Sequence[Publication]) -> None:
    """passt leaves itself behind, and ends when that is ready."""
    try:
        done = subprocess.run(
            command,
            pass_fds=(fd,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            cwd="/",
            timeout=START_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HospesError(
            f"{command[0]} cannot be started ({error}); install it anew or use --network nat"
        ) from error
    if done.returncode:
        for publication in publications:
            # passt does not say what is wrong with a port.
            listening(publication).close()
        said = reason(done.stderr.decode(errors="replace"))
        raise HospesError(
            f"passt does not start: {said or f'exit code {done.returncode}'}; see 'man passt', or "
            "use --network nat"
        )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _is_reachable(address: bytes) -> bool:
    """Whether a packed address can be reached from elsewhere than here."""
    known = ipaddress.ip_address(address)
    return not (known.is_loopback or known.is_link_local or known.is_unspecified)
