"""What is timed in shared folders."""

from bench.folder_loads import PREPARE


def test_the_folder_is_mounted_as_our_images_do() -> None:
    assert "mount -t 9p -o trans=virtio,msize=512000,cache=mmap volume0 /mnt && cd /mnt" in PREPARE
