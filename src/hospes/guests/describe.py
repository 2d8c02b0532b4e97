"""What a user gives, as the description of a machine that can be made: images become files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hospes.base.progress import Progress, silent
from hospes.guests import agent_kinds
from hospes.guests.terminals import fit_terminal
from hospes.guests.volumes import init_words, systemd_words
from hospes.spec.disk import DiskSpec, VirtioBus, parse_disk
from hospes.spec.net import NetworkKind, NetworkSpec, parse_attachment, parse_publication
from hospes.spec.size import parse_size
from hospes.spec.vm import EngineKind, VmSpec
from hospes.spec.volume import VolumeSpec, parse_volume
from hospes.spec.vsock import VsockSpec, new_cid

if TYPE_CHECKING:
    from hospes.guests.debian_recipe import Driver
    from hospes.guests.store import Image

AGENT_CONSOLE: Final = "hvc0"


def describe(
    image: str | None = "tiny",
    *,
    kernel: str | Path | None = None,
    initrd: str | Path | None = None,
    bios: str | Path | None = None,
    append: str = "",
    memory: str | int | None = None,
    cpus: int = 1,
    engine: str = EngineKind.THREADED,
    disks: Sequence[str | Path | DiskSpec] = (),
    interrupts: str | None = None,
    allow: Sequence[str | Path] = (),
    agent: bool = True,
    ports: bool = False,
    balloon: bool = False,
    network: str | NetworkSpec = NetworkKind.NONE,
    publish: Sequence[str] = (),
    capture: str | Path | None = None,
    allow_host: bool = False,
    firewall: str | Sequence[str] | None = None,
    volumes: Sequence[str | VolumeSpec] = (),
    vsock: bool | str | Path | VsockSpec = False,
    own_root: bool = False,
    progress: Progress = silent,
    driver: "Driver | None" = None,
) -> VmSpec:
    """The VmSpec of a machine from what a user gives.

    A kernel or bios takes the place of the image; an image that is not in the cache is fetched.
    With no image and disks, the kernel on the first of them that has one is booted.
    With `agent`, an image's guest runs commands instead of a shell on its console. `disks` are
    paths or texts such as `data.qcow2`, `old.img,format=raw,bus=mmio` or `size=20G`; their
    backing files may lie in the directories `allow`, besides their own. With `ports`, the guest
    has named ports for `Machine.open_port`; with `balloon`, `Machine.balloon` works. The `network`
    and what goes with it is as `network_of` says. `volumes` are folders of the host for the guest,
    such as `./src:/src` or `/data:/data:ro`; an image's guest mounts them itself, another one by
    the tags `volume0` and so on. With `vsock`, `Machine.vsock` works, and with a path, Unix sockets
    there. An image's root disk is the first one, with what is written gone at the end; with
    `own_root`, the first of `disks` stands in for it. The `driver` runs the guest in which it is
    made.
    """
    wanted: dict[str, Any] = {"cpus": cpus, "engine": engine, "bios": bios and Path(bios)}
    wanted |= {"disks": tuple(map(_disk, disks)), "ports": ports, "balloon": balloon}
    wanted["network"] = _network(network, publish, capture, allow_host, firewall)
    wanted |= {"vsock": _vsock(vsock), "interrupts": interrupts}
    wanted |= {"volumes": tuple(map(_volume, volumes)), "allow": tuple(map(Path, allow))}
    wanted |= {"append": append, "initrd": initrd and Path(initrd)}
    if kernel is None and bios is None and image is not None:
        # Here, for it costs a machine with a kernel of the user's own a part of its start.
        from hospes.guests import catalogue

        found = catalogue.ensure(image, progress, driver=driver)
        wanted |= _with_image(found, wanted, agent, own_root)
    else:
        wanted["kernel"] = kernel and Path(kernel)
        wanted["from_disk"] = kernel is None and bios is None and bool(disks)
    if memory is not None:
        wanted["memory_bytes"] = parse_size(memory) if isinstance(memory, str) else memory
    return VmSpec(**wanted)


def _with_image(
    found: "Image", wanted: dict[str, Any], agent: bool, own_root: bool
) -> dict[str, Any]:
    """What becomes different of what is wanted when an image is booted."""
    manifest, disks = found.manifest, wanted["disks"]
    words = [manifest.append]
    if found.disk is None:
        words += [*_words(disks, agent, wanted["network"]), *init_words(wanted["volumes"])]
    else:
        words += systemd_words(wanted["volumes"])
        if not own_root:
            disks = (DiskSpec(base=found.disk), *disks)
    words.append(wanted["append"])
    return {
        "kernel": found.kernel,
        "initrd": wanted["initrd"] or found.initrd,
        "append": fit_terminal(" ".join(filter(None, words)), manifest.terminals),
        "memory_bytes": manifest.memory_bytes,
        "disks": disks,
        "from_disk": found.disk is not None,
        "ports": wanted["ports"] or manifest.agent == agent_kinds.QEMU,
    }


def agent_in(image: str | None) -> str:
    """Which agent the guest of an image has that `describe` has made sure of; our own is usual."""
    if image is None:
        return agent_kinds.OWN
    from hospes.guests import catalogue

    return catalogue.locate(image).manifest.agent


def _words(disks: Sequence[DiskSpec], agent: bool, network: NetworkSpec) -> list[str]:
    """What our own init is told."""
    on_mmio = any(disk.bus is VirtioBus.MMIO for disk in disks)
    return [
        f"hospes.agent={AGENT_CONSOLE}" if agent else "",
        "hospes.disks" if disks else "",
        "hospes.mmio" if on_mmio else "",
        "hospes.network" if network.kind != NetworkKind.NONE else "",
    ]


def _network(network: str | NetworkSpec, *more: Any) -> NetworkSpec:
    """A network that is described already, or is by texts."""
    if not isinstance(network, NetworkSpec):
        return network_of(network, *more)
    if any(more):
        raise ValueError("a NetworkSpec says itself what is published, captured and allowed")
    return network


def network_of(
    kind: str,
    publish: Sequence[str] = (),
    capture: str | Path | None = None,
    allow_host: bool = False,
    firewall: str | Sequence[str] | None = None,
) -> NetworkSpec:
    """The network that texts describe.

    It is `none`, `nat`, `passt`, `switch:NAME` (one made by `hospes network create`), `bridge:NAME`
    or `tap:NAME`; `capture` is a file for all that passes. With `nat`, `passt` and `switch`,
    `publish` has ports of the guest's for the host, such as `8080:80`; with `nat` and `allow_host`,
    the host is 10.0.2.2, with `passt` it is the guest's gateway. A `firewall` is a list of rules
    such as `deny:in,allow:in:tcp:80`, or several.
    """
    publications = tuple(map(parse_publication, publish))
    file, rules = None if capture is None else Path(capture), firewall_texts(firewall)
    known, name = parse_attachment(kind)
    return NetworkSpec(
        known,
        publish=publications,
        allow_host=allow_host,
        capture=file,
        name=name,
        firewall=rules,
    )


def firewall_texts(wanted: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """A firewall's rules as they are kept; None if there are none."""
    if not wanted:
        return None
    # Here, for most machines have no firewall.
    from hospes.spec.firewall_rules import parse_firewall

    made = parse_firewall([wanted] if isinstance(wanted, str) else wanted)
    return None if made is None else made.texts


def _vsock(wanted: bool | str | Path | VsockSpec) -> VsockSpec | None:
    if isinstance(wanted, VsockSpec):
        return wanted
    if isinstance(wanted, bool):
        return VsockSpec(new_cid()) if wanted else None
    return VsockSpec(new_cid(), Path(wanted))


def _disk(wanted: str | Path | DiskSpec) -> DiskSpec:
    if isinstance(wanted, str):
        return parse_disk(wanted)
    return DiskSpec(wanted) if isinstance(wanted, Path) else wanted


def _volume(wanted: str | VolumeSpec) -> VolumeSpec:
    return parse_volume(wanted) if isinstance(wanted, str) else wanted
