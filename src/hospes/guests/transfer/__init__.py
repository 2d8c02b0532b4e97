"""Files and directories copied into a guest and out of it, as tar streams of commands in it."""
