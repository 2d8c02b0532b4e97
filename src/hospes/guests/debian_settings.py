"""The few files by which an image differs from Debian's packages as they are."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from hospes.guests.apt import CODENAME
from hospes.guests.mirror import host_sources
from hospes.guests.tree import Entry, regular, symlink

LABEL: Final = "root"
ENABLED: Final = ("systemd-networkd",)
# A machine without a network must not wait for one.
DISABLED: Final = ("systemd-networkd-wait-online",)

# What would be loaded for a display that is not there; a display's own driver loads it when it is.
MASKED: Final = ("modprobe@drm.service",)
# systemd-networkd asks for wireless networks, for which the kernel loads a seventh of all that it
# executes until the login prompt.
MODPROBE: Final = "alias net-pf-16-proto-16-family-nl80211 off\n"

# A machine may get little of a busy host's time, and what is late then is not missing.
PATIENCE: Final = """\
[Manager]
DefaultTimeoutStartSec=10min
DefaultDeviceTimeoutSec=10min
"""

# No service may be started while the packages are configured (invoke-rc.d(8)).
NO_SERVICES: Final = "#!/bin/sh\nexit 101\n"
# MODULES=list takes only what hooks ask for: a small initramfs is made and unpacked sooner.
INITRAMFS_SETTINGS: Final = "MODULES=list\nCOMPRESS=lz4\nCOMPRESSLEVEL=1\n"
INITRAMFS_HOOK: Final = """\
#!/bin/sh
# The drivers of a virtual machine's root disk, on whichever bus it is.
case ${1-} in
prereqs) exit 0 ;;
esac
. /usr/share/initramfs-tools/hook-functions
manual_add_modules virtio_mmio virtio_pci virtio_blk virtio_scsi sd_mod nvme ahci ext4
"""
FSTAB: Final = f"LABEL={LABEL} / ext4 discard,errors=remount-ro,x-systemd.growfs 0 1\n"
HOSTS: Final = """\
127.0.0.1 localhost
127.0.1.1 {name}
::1 localhost ip6-localhost ip6-loopback
ff02::1 ip6-allnodes
ff02::2 ip6-allrouters
"""
NETWORK: Final = """\
[Match]
Name=en* eth*

[Network]
DHCP=yes
"""
# An image has no SSH host keys. Debian's unit makes them only at a boot that systemd takes for the
# first, which would set every unit anew; with cloud-init it is that which makes them.
SSH_KEYS: Final = """\
[Unit]
ConditionFirstBoot=
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
ConditionPathExists=!/run/systemd/generator.early/multi-user.target.wants/cloud-init.target
"""
SOURCES: Final = """\
Types: deb
URIs: {uri}
Suites: {suites}
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""


def early_files() -> list[Entry]:
    """What has to be there while the packages are installed."""
    return [
        regular("usr/sbin/policy-rc.d", NO_SERVICES.encode(), 0o755),
        regular("etc/initramfs-tools/conf.d/virtual-machine", INITRAMFS_SETTINGS.encode()),
        regular("etc/initramfs-tools/hooks/virtual-machine", INITRAMFS_HOOK.encode(), 0o755),
    ]


def late_files(
    name: str, mirror: str, security: str | None, packages: Collection[str] = ()
) -> list[Entry]:
    """What is set when they are: the machine's name, its disk, its network and its archive."""
    texts = {
        "etc/fstab": FSTAB,
        "etc/hostname": f"{name}\n",
        "etc/hosts": HOSTS.format(name=name),
        "etc/locale.conf": "LANG=C.UTF-8\n",
        "etc/systemd/system.conf.d/virtual-machine.conf": PATIENCE,
        "etc/modprobe.d/virtual-machine.conf": MODPROBE,
        "etc/systemd/network/80-dhcp.network": NETWORK,
        "etc/apt/sources.list.d/debian.sources": sources(mirror, security),
    }
    if "openssh-server" in packages:
        texts["etc/systemd/system/sshd-keygen.service.d/virtual-machine.conf"] = SSH_KEYS
    files = [regular(path, text.encode()) for path, text in texts.items()]
    # As systemd's tmpfiles.d/debian.conf would have it at the first boot; logins read it.
    return [*files, symlink("etc/default/locale", "../locale.conf")]


def sources(mirror: str, security: str | None) -> str:
    """The archives that the guest's own apt uses (sources.list(5))."""
    parts = [SOURCES.format(uri=mirror, suites=f"{CODENAME} {CODENAME}-updates")]
    if security is not None:
        parts.append(SOURCES.format(uri=security, suites=f"{CODENAME}-security"))
    return "\n".join(parts)


def security_mirror(etc_apt: Path = Path("/etc/apt")) -> str | None:
    """Where the host gets Debian's security updates, if it does."""
    for source in host_sources(etc_apt):
        if any(suite.endswith("-security") for suite in source.suites):
            return source.uri
    return None


def settings(epoch_s: int, uuid: str, foundation: Sequence[str]) -> str:
    """What the installing script reads, as assignments of the shell."""
    values = {
        "EPOCH": str(epoch_s),
        "UUID": uuid,
        "LABEL": LABEL,
        "FOUNDATION": " ".join(foundation),
        "ENABLED": " ".join(ENABLED),
        "DISABLED": " ".join(DISABLED),
        "MASKED": " ".join(MASKED),
    }
    for name, value in values.items():
        if not re.fullmatch(r"[\w.+:@ -]*", value):
            raise ValueError(f"{name} cannot be {value!r}")
    return "".join(f'{name}="{value}"\n' for name, value in values.items())
