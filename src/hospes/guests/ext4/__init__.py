"""A read-only reader of ext2, ext3 and ext4 file systems, as the kernel would see them."""
