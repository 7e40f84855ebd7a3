"""``--url``: a URL or path, or ``@FILE`` that holds one.

The password of a Redis server may be in ``REDISCLI_AUTH``, where redis-cli has it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hueyctl import errors, exits

if TYPE_CHECKING:
    from hueycore.storage.open import Location


def parse_url(text: str) -> Location:
    """Where the storage is. Opens nothing."""
    from hueycore.exceptions import StorageError
    from hueycore.storage.open import BadURL, locate

    try:
        return _with_password(locate(_read(text[1:]) if text.startswith("@") else text))
    except BadURL as error:
        raise errors.usage(str(error), error.hint) from error
    except StorageError as error:
        raise errors.CliError(str(error), exits.UNAVAILABLE) from error


def _with_password(location: Location) -> Location:
    """A Redis URL that says none gets it from the environment."""
    from hueycore.storage.location import RedisLocation

    password = os.environ.get("REDISCLI_AUTH")
    if password and isinstance(location, RedisLocation) and not location.has_password:
        return location.with_words({"password": password})
    return location


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8-sig") as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise errors.CliError(f"cannot read the URL from {path}: {reason}", exits.USAGE) from error
