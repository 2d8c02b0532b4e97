"""Hospes: a virtual machine manager written in Python."""
