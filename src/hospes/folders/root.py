"""The folder of the host that is shared, as a descriptor; what cannot be shared is told."""

import os
from pathlib import Path

from hospes.base.errors import HospesError, os_reason


def open_root(path: Path) -> int:
    """Hold the folder; the user may have named it by way of links. HospesError if it is none."""
    try:
        return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise HospesError(
            f"there is no folder {path} to share; make it, or name another with --volume"
        ) from error
    except NotADirectoryError as error:
        raise HospesError(
            f"{path} is not a folder, and only folders can be shared; name the one it is in"
        ) from error
    except OSError as error:
        reason = os_reason(error)
        raise HospesError(
            f"the folder {path} cannot be shared: {reason}; name another with --volume"
        ) from error
