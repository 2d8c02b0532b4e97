"""A machine's firewall: what passes between its network card and whatever the cable leads to."""
