"""PCI: functions, their interrupts, and the bridge that the harts reach them through."""
