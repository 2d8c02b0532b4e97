"""What our own guest does to install Debian on a disk: a script for busybox's shell."""

from typing import Final

# /dev/vda becomes the root disk, /dev/vdb holds the packages and what else is needed (`source`),
# /dev/vdc takes the initramfs back to the host, /dev/vdd holds the file system's journal meanwhile.
#
# As debootstrap does it: the essential packages are first merely extracted, so that dpkg and the
# maintainer scripts find their programs, and then installed by dpkg like all others.
#
# Nothing here has to survive a power cut, so nothing waits for the disk: the library eatmydata
# makes void what dpkg does to have each file written at once, and `noauto_da_alloc` what ext4 does
# to that end. Without a journal, ext4 would look at every file lately removed whenever one is made;
# this journal has a disk of its own and is thrown away, the root disk's is made at the end.
#
# depmod reads every module, and in a guest their decompression alone takes longer than all the
# rest; it finds light ones in their place (light_modules.py).
#
# A line that begins with "hospes:" tells the host how far it is.
START: Final = (
    "modprobe -a ext4 isofs && mkdir /source /target && mount -t iso9660 -o ro /dev/vdb /source"
    " && exec sh /source/install"
)
INSTALL_SCRIPT: Final = r"""set -e
exec 2>&1
. /source/settings
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true LC_ALL=C.UTF-8
EATMYDATA=/var/cache/source/libeatmydata.so
export TERM=dumb SOURCE_DATE_EPOCH="$EPOCH" E2FSPROGS_FAKE_TIME="$EPOCH"

# Through env(1), for busybox's chroot prefers its own applets to the target's programs.
in_target() { chroot /target /usr/bin/env "$@"; }
install() {
	in_target LD_PRELOAD="$EATMYDATA" \
		dpkg --force-unsafe-io --force-confold --force-depends "$@" </dev/null
}
archives() {
	for name; do
		echo "/var/cache/source/$name.deb"
	done
}
with_light_modules() {
	for folder in /light/usr/lib/modules/*/kernel; do
		if [ -d "/target${folder#/light}" ]; then
			mount -o bind "$folder" "/target${folder#/light}"
		fi
	done
	# The initramfs is made once, at the end.
	INITRD=No "$@"
	for folder in /light/usr/lib/modules/*/kernel; do
		if [ -d "/target${folder#/light}" ]; then
			umount "/target${folder#/light}"
		fi
	done
}

echo "hospes: Making the file system"
/usr/sbin/mke2fs -q -O journal_dev -b 4096 /dev/vdd
/usr/sbin/mke2fs -q -t ext4 -b 4096 -L "$LABEL" -U "$UUID" -J device=/dev/vdd \
	-E "hash_seed=$UUID,nodiscard,assume_storage_prezeroed=1" /dev/vda
mount -t ext4 -o noatime,nobarrier,noauto_da_alloc,commit=900 /dev/vda /target
cd /target

echo "hospes: Unpacking the foundation"
for name in $FOUNDATION; do
	dpkg-deb -x "/source/$name.deb" /target
done
mkdir -p var/lib/dpkg var/cache/source
: >var/lib/dpkg/status
: >var/lib/dpkg/available
cpio -idu </source/before
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -o bind /dev dev
mount -t devpts devpts dev/pts
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount -o bind /source var/cache/source

echo "hospes: Installing the packages"
install --install $(archives base-passwd)
install --install $(archives base-files)
install --no-triggers --unpack $(archives $FOUNDATION)
install --no-triggers --configure -a
mkdir /light
mount -t tmpfs tmpfs /light
(cd /light && cpio -iu </source/modules)
while read -r verb names; do
	case $verb in
	unpack) install --no-triggers --unpack $(archives $names) ;;
	configure) with_light_modules install --no-triggers --configure $names ;;
	esac
done </source/steps
with_light_modules install --configure -a
audit=$(in_target dpkg --audit)
if [ "$audit" ]; then
	echo "$audit"
	exit 1
fi

echo "hospes: Making the initramfs"
cpio -idu </source/after
in_target update-initramfs -c -k all
for image in boot/vmlinux-*; do
	# The links in /, which it could not make without an initramfs.
	in_target linux-update-symlinks install "${image#boot/vmlinux-}" "/$image"
done
tar -cf /dev/vdc -C boot $(cd boot && ls initrd.img-*)

echo "hospes: Cleaning up"
in_target passwd -q -d root
in_target systemctl -q enable $ENABLED
in_target systemctl -q disable $DISABLED
in_target systemctl -q mask $MASKED
umount var/cache/source
rmdir var/cache/source
rm -f usr/sbin/policy-rc.d etc/ssh/ssh_host_* var/lib/dbus/machine-id var/cache/debconf/*-old
rm -f var/lib/dpkg/*-old var/cache/ldconfig/aux-cache var/lib/systemd/random-seed
in_target find /var/log /var/cache/apt /var/lib/apt/lists -type f -delete
: >etc/machine-id
in_target find / -xdev -newermt "@$EPOCH" -exec touch -h -d "@$EPOCH" {} +
# Or every machine would do at its first boot what the packages' installation has done.
in_target /usr/lib/systemd/systemd-update-done
touch -h -d "@$EPOCH" etc var
umount dev/pts dev sys proc run tmp
touch -h -d "@$EPOCH" dev sys proc run tmp
cd /
umount /target
/usr/sbin/tune2fs -O ^has_journal /dev/vda
/usr/sbin/tune2fs -O has_journal /dev/vda
/usr/sbin/e2fsck -f -n /dev/vda
"""
