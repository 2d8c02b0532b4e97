"""The errors Hospes raises: one sentence naming the thing, the value and the remedy."""


class HospesError(Exception):
    """Something the user can put right; its text is shown as it is, with no traceback."""


class GuestError(Exception):
    """The guest did something impossible; counted and logged at the device boundary."""


class PortBusy(HospesError):  # noqa: N818 - a state of the port, not a mistake
    """Someone else has the port of a guest; another one may be free."""
