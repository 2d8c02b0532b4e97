"""The first process of the images made here: a script for busybox's shell."""

from typing import Final

INIT_PATH: Final = "init"
AGENT_PATH: Final = "usr/bin/hospes-agent"
ERRORS_PATH: Final = "run/hospes/errors"

# What it understands on the kernel's command line:
#   hospes.agent=hvc0   run the agent (agent.py) on this terminal, and no shell on the console
#   hospes.shell        a shell on the console although there is an agent
#   hospes.disks        there are disks: have their driver before anything else runs
#   hospes.mmio         some of them are in MMIO slots: have the slots' driver as well
#   hospes.network      there is a network card: have its driver before anything else runs
#   hospes.mount=T:P:O  mount the shared folder with the tag T at the path P, with the options O
#   hospes.hostname=N   the machine's name instead of the image's
# A word without a dot, such as TERM=xterm, reaches the shell as an environment variable: the
# kernel itself sees to that.
#
# Every process costs the guest a million instructions and more, and every module a hundred
# million, for the kernel verifies its signature. So a module that nothing waits for comes late.
INIT_SCRIPT: Final = r"""#!/bin/sh
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t devtmpfs devtmpfs /dev
mkdir /dev/pts /dev/shm
mount -a
ln -s /proc/self/fd /dev/fd
read -r name </etc/hostname
read -r line </proc/cmdline
set -f
for word in $line; do
	case $word in
	hospes.agent=*) agent=${word#*=} ;;
	hospes.disks) disks=virtio_blk ;;
	hospes.mmio) slots=virtio_mmio ;;
	hospes.network) network=virtio_net ;;
	hospes.mount=*) folders="$folders ${word#*=}" ;;
	hospes.hostname=*) name=${word#*=} ;;
	hospes.shell) shell=yes ;;
	esac
done
set +f
echo "$name" >/proc/sys/kernel/hostname
ifconfig lo up
cd /root
{
	sleep 1
	modprobe -qa virtio_rng
	if grep -qs 0x0005 /sys/bus/virtio/devices/*/device; then
		modprobe -q virtio_balloon
	fi
} &
if [ "$disks$network" ]; then
	modprobe -qa $slots $disks $network
fi
for folder in $folders; do
	tag=${folder%%:*} rest=${folder#*:}
	place=${rest%%:*} rest=${rest#*:}
	case $rest in *:*) type=${rest#*:} ;; *) type=9p ;; esac
	mkdir -p "$place"
	mount -t $type -o "${rest%%:*}" $tag "$place"
done
# A pipeline, not "&": what a background job starts would ignore SIGINT.
if [ -z "$agent" ]; then
	setsid cttyhack sh -l
elif [ "$shell" ]; then
	hospes-agent "$agent" | { setsid cttyhack sh -l </dev/console; poweroff -f; }
else
	hospes-agent "$agent"
fi
poweroff -f
"""

SETTINGS: Final = (
    (
        "etc/fstab",
        "proc /proc proc defaults 0 0\n"
        "sysfs /sys sysfs defaults 0 0\n"
        "devpts /dev/pts devpts gid=5,mode=620 0 0\n"
        "tmpfs /dev/shm tmpfs defaults 0 0\n",
    ),
    # Without -f they signal the first process, which is a script that takes no signals.
    (
        "etc/profile",
        "PS1='\\h:\\w\\$ '\n"
        "alias poweroff='poweroff -f' halt='halt -f' reboot='reboot -f'\n",
    ),
)
