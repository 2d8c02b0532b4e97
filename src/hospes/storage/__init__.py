"""Disk images as files of the host: raw and qcow2, read, written, checked and converted."""
