"""The qcow2 format, versions 2 (read) and 3, written from its specification."""
