"""Networks for guests: user-mode NAT, and what frames are made of."""
