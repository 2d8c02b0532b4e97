"""Commands in a guest that has the QEMU agent: streams, exit code, terminal.

The agent starts a supervisor (`script.py`), which joins the command to stream ports of the guest's
console; from then on everything goes through these ports and the agent is free for others. As with
ssh, a process that the command leaves behind holding its output keeps the command from ending:
redirect the output of what should stay.
"""
