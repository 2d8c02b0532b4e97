"""Who runs the guest in which an image with a root disk is made."""

from collections.abc import Callable

from hospes.spec.vm import VmSpec


def drive(spec: VmSpec, command: str, output: Callable[[bytes], object]) -> int:
    """A guests.debian_recipe.Driver; loads the machine only when an image has to be made."""
    from hospes.api import drive

    return drive(spec, command, output)
