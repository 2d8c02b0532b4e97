"""Networks shared by machines of one host: a process with a switch, and the machines' way to it."""
