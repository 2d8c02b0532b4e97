"""Hospes and QEMU measured in turn, in one run, on the same guests: `python -m bench`."""
