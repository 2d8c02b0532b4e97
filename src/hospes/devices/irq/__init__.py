"""Interrupt lines and the controllers between devices and harts."""
