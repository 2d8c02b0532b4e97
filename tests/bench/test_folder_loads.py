"""What is timed in shared folders."""

from bench.folder_loads import prepare

from hospes.spec.volume import VolumeKind


def test_folders_are_mounted_as_our_images_do() -> None:
    ninep = "mount -t 9p -o trans=virtio,msize=512000,cache=mmap volume0 /mnt && cd /mnt"
    assert prepare(VolumeKind.NINEP).endswith(f"; {ninep}")
    assert "mount -t virtiofs volume0 /mnt && cd /mnt" in prepare(VolumeKind.VIRTIOFS)
