"""Running a machine in the foreground: a guest's console, or one command in a guest."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from hospes.base.errors import HospesError
from hospes.manager.foreground import guest_words, run_here
from hospes.manager.manager import Manager, Terminal
from hospes.manager.ran import Ran
from hospes.manager.seed import Wishes
from hospes.manager.verb import verb
from hospes.spec.disk import parse_disk
from hospes.spec.vm import EngineKind, InterruptKind
from hospes.spec.volume import parse_volume

if TYPE_CHECKING:
    from hospes.spec.machine import MachineSpec

DEFAULT_IMAGE: Final = "tiny"

ImageName = Annotated[
    str | None, "an image; without one --kernel, --bios or what is on --disk is booted, or tiny"
]
DiskTexts = Annotated[
    list[str] | None, "a file, with ,format=, ,readonly or ,bus=pci|mmio; or size=2G for a new one"
]
NETWORK_HELP: Final = (
    "what its card is joined to: none, nat, passt, switch:NAME, bridge:NAME or tap:NAME"
)
Volumes = Annotated[
    list[str] | None, "a folder of the host, where the guest has it, and ro, as ./src:/src:ro", "-v"
]
Allowed = Annotated[
    list[Path] | None, "a directory in which disks' backing files may lie, besides their own"
]


@verb("POST /runs")
def run(
    m: Manager,
    image: ImageName = None,
    *command: str,
    kernel: Annotated[Path | None, "a Linux Image, compressed or EFI kernel, or an ELF"] = None,
    initrd: Annotated[Path | None, "its first file system"] = None,
    append: Annotated[str, "words for the kernel's command line"] = "",
    memory: Annotated[str | None, "how much RAM, such as 512M or 4G"] = None,
    cpus: Annotated[int, "how many harts"] = 1,
    engine: Annotated[EngineKind, "what executes the guest"] = EngineKind.THREADED,
    disk: DiskTexts = None,
    allow: Allowed = None,
    user_data: Annotated[Path | None, "what cloud-init in the guest shall do"] = None,
    ssh_key: Annotated[list[Path] | None, "a public key whose owner may log in as root"] = None,
    bios: Annotated[Path | None, "M-mode firmware, or a bare-metal program"] = None,
    interrupts: Annotated[InterruptKind | None, "the interrupt architecture"] = None,
    network: Annotated[str, NETWORK_HELP] = "none",
    publish: Annotated[list[str] | None, "the host's port and the guest's, as 8080:80"] = None,
    allow_host: Annotated[bool, "the guest may reach the host itself, as its gateway"] = False,
    firewall: Annotated[list[str] | None, "rules, as deny:in,allow:in:tcp:80,out:*.lan"] = None,
    pcap: Annotated[Path | None, "write down there all that passes its network card"] = None,
    vsock: Annotated[Path | None, "a Unix socket to make, which leads to its vsock ports"] = None,
    volume: Volumes = None,
    user: Annotated[str | None, "a shell of this user in place of the console"] = None,
    stats: Annotated[bool, "print what was counted, at the end"] = False,
    timeout: Annotated[float | None, "stop after so many seconds"] = None,
    name: Annotated[str | None, "keep the machine under this name"] = None,
    detach: Annotated[bool, "keep the machine, leave it alone and print its name", "-d"] = False,
) -> Ran | str:
    """Run a guest: its console, or a command in it.

    The command's output and exit code are passed through. A single word is a line for the guest's
    shell; several words are a program and its arguments.
    """
    from hospes.guests.describe import network_of
    from hospes.spec.machine import MachineSpec

    terminal = _terminal(m)
    own = kernel is not None or bios is not None
    asked = MachineSpec(
        image=_image(image, command, own, disk),
        kernel=kernel and kernel.absolute(),
        initrd=initrd and initrd.absolute(),
        bios=bios and bios.absolute(),
        append=append, memory=memory, cpus=cpus, engine=engine, interrupts=interrupts,
        allow=tuple(place.absolute() for place in allow or ()),
        network=network_of(network, publish or (), pcap and pcap.absolute(), allow_host, firewall),
        volumes=tuple(map(parse_volume, volume or ())),
    )  # fmt: skip
    wishes = Wishes(user_data, tuple(ssh_key or ()))
    if name is None and not detach:
        return run_here(
            m, terminal, asked, disk or [], wishes, command,
            vsock=vsock, user=user, stats=stats, timeout=timeout,
        )  # fmt: skip
    _check_kept(command, user, stats, timeout, vsock)
    return _keep(m, terminal, asked, disk or [], wishes, name, detach)


def _terminal(m: Manager) -> Terminal:
    if m.terminal is None:
        raise HospesError("a machine in the foreground needs a terminal; use hospes.Machine")
    return m.terminal


def _keep(
    m: Manager,
    terminal: Terminal,
    asked: "MachineSpec",
    disks: Sequence[str],
    wishes: Wishes,
    name: str | None,
    detach: bool,
) -> Ran | str:
    from hospes.manager.kept import run_kept

    words = guest_words(terminal, False) if asked.image and not detach else []
    return run_kept(m, asked, disks, wishes, name, words, detach)


def _check_kept(
    command: Sequence[str],
    user: str | None,
    stats: bool,
    timeout: float | None,
    vsock: Path | None,
) -> None:
    if vsock is not None:
        raise HospesError(
            "a machine that is kept has a socket for its vsock ports in its directory; leave out "
            f"--vsock {vsock}, and use 'hospes vsock'"
        )
    if user is not None:
        raise HospesError(
            f"a shell of {user} in a machine that is kept is opened once it runs; leave out "
            "--user, and use 'hospes exec -it --user' then"
        )
    if command:
        raise HospesError(
            "a command is run in a machine of its own; leave out --name and -d, or start the "
            "machine first and run the command with 'hospes exec'"
        )
    if stats:
        raise HospesError("a machine that is kept counts on; use 'hospes stats', not --stats")
    if timeout is not None:
        raise HospesError("a machine that is kept has no time limit; leave out --timeout")


def _image(
    image: str | None, command: Sequence[str], own: bool, disks: Sequence[str] | None
) -> str | None:
    """The image to boot; none with files of the user's own, or when a disk is to boot."""
    _check(image, command, own)
    kept = any(parse_disk(text).path is not None for text in disks or ())
    if image is None and not own and (command or not kept):
        return DEFAULT_IMAGE
    return image


def _check(image: str | None, command: Sequence[str], own: bool) -> None:
    if image is not None and own:
        raise HospesError(
            f"the image {image!r} has its own kernel; leave out either it or --kernel and --bios"
        )
    if command and own:
        raise HospesError(
            "a command needs an image, whose guest has an agent to run it; "
            "leave out either the command or --kernel and --bios"
        )
    if command and image is not None:
        from hospes.guests import catalogue

        catalogue.check_commands(image)
