"""Hospes: a virtual machine manager written in Python."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hospes.api import CommandTimeout, Machine, Result
    from hospes.base.errors import HospesError

    __version__: str

__all__ = ["CommandTimeout", "HospesError", "Machine", "Result", "__version__"]


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is asked for: `import hospes` itself costs nothing."""
    if name == "__version__":
        from hospes.base.log import hospes_version

        return hospes_version()
    if name == "HospesError":
        from hospes.base.errors import HospesError

        return HospesError
    if name in __all__:
        from hospes import api

        return getattr(api, name)
    raise AttributeError(f"module 'hospes' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
