"""Shared folders: a 9P2000.L server, and the host's files as it sees them."""
