"""The root of every error that a person can mend."""

from __future__ import annotations


class FoyerError(Exception):
    """Something outside the program is wrong; the message says what, where, and how to mend it.

    The command line prints it as one line on stderr and exits with `exit_code`.
    """

    exit_code = 2


class ConfigError(FoyerError, ValueError):
    """A hub or unit configuration, an address or an option cannot be used as it stands."""


class FolderError(FoyerError, OSError):
    """A folder for what must be remembered cannot be used."""
