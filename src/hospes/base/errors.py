"""The errors Hospes raises: one sentence naming the thing, the value and the remedy."""


class HospesError(Exception):
    """Something the user can put right; its text is shown as it is, with no traceback."""


class GuestError(Exception):
    """The guest did something impossible; counted and logged at the device boundary."""


class PortBusy(HospesError):  # noqa: N818 - a state, which the caller may wait for
    """Somebody has this port of the guest open; another may be free."""


def os_reason(error: OSError) -> str:
    """What the operating system says is wrong, for the middle of a sentence."""
    return (error.strerror or str(error)).lower()
