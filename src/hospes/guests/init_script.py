"""The first process of the images made here: a script for busybox's shell."""

from typing import Final

INIT_PATH: Final = "init"
AGENT_PATH: Final = "usr/bin/hospes-agent"
MODULES_PATH: Final = "etc/modules"
HOSTNAME_PATH: Final = "etc/hostname"
PROFILE_PATH: Final = "etc/profile"

# What it understands on the kernel's command line:
#   hospes.agent=hvc0   run the agent (agent.py) on this terminal, and no shell on the console
#   hospes.shell        a shell on the console although there is an agent
#   hospes.hostname=N   the machine's name instead of the image's
# A word without a dot, such as TERM=xterm, reaches the shell as an environment variable: the
# kernel itself sees to that.
INIT_SCRIPT: Final = r"""#!/bin/sh
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
ln -s /proc/self/fd /dev/fd
while read -r module; do
	insmod "$module"
done </etc/modules
read -r name </etc/hostname
read -r line </proc/cmdline
set -f
for word in $line; do
	case $word in
	hospes.agent=*) agent=${word#*=} ;;
	hospes.hostname=*) name=${word#*=} ;;
	hospes.shell) shell=yes ;;
	esac
done
set +f
hostname "$name"
ifconfig lo up
cd /root
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

PROFILE: Final = r"""PS1='\h:\w\$ '
"""
