"""How a program of the hub's ends: its exit codes, the signals that ask it to, and the sentence for a failure."""

import errno
import re
import signal
from types import FrameType
from typing import Any, NoReturn

from asyncpg import PostgresError
from pydantic import ValidationError
from pydantic_settings import SettingsError
from sqlalchemy.exc import SQLAlchemyError

from hub.db import DRIVER_ERRORS
from hub.errors import Failure

FINDINGS = 1
FAILED = 3
OUTSTANDING = 4
EXIT_CODES = (
    f"Exit codes: 0 done, nothing wrong found; {FINDINGS} `audit`, `verify`, `demo`, `adapters check` or "
    "`relocation compare` found something wrong, or `reconcile` left breaks open; "
    f"2 the command was called wrongly; {FAILED} it could not be done, and one sentence says why; "
    f"{OUTSTANDING} `window close` closed the window, but its reports are outstanding or could not be shown; "
    "128 and the signal's number when it was asked to end (130 after Ctrl-C)."
)

_ASKED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_NOT_WRITTEN = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}  # which no connection ends with
_SECRET = {"database_url", "database_owner_url", "signing_key", "secrets_key"}


def leave_when_asked() -> None:
    """Make an ordinary exit of the signals that end a program, so that everything on the way out is done: a plain
    SIGTERM would leave the embedded database running."""
    for number in _ASKED:
        signal.signal(number, _leave)


def be_deaf() -> None:
    """From here on nothing interrupts the way out."""
    for number in _ASKED:
        signal.signal(number, signal.SIG_IGN)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    be_deaf()
    raise SystemExit(128 + number)


def sentence_of(error: Exception) -> str:
    """What to tell a person about ``error``: one sentence, without secrets."""
    if isinstance(error, ValidationError):
        return " ".join(_of_setting(one) for one in error.errors(include_url=False))
    if isinstance(error, SettingsError):
        named = re.search(r'field "(\w+)"', str(error))
        setting = "A setting" if named is None else f"HUB_{named[1].upper()}"
        return f"{setting} cannot be read: a list is written in JSON, in brackets and quotation marks."
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}."
    if isinstance(error, OSError) and error.errno in _NOT_WRITTEN:
        return f"A file cannot be written: {error.strerror}."
    if isinstance(error, (SQLAlchemyError, PostgresError, *DRIVER_ERRORS, OSError)):
        cause = getattr(error, "orig", None) or error
        detail = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
        return f"The database cannot be used: {detail.rstrip('.')}."
    if isinstance(error, Failure):
        return str(error)
    return f"Something unexpected happened ({type(error).__name__}: {error}); HUB_LOG_LEVEL=DEBUG shows where."


def _of_setting(error: Any) -> str:
    name = str(error["loc"][0]) if error["loc"] else "?"
    value = "" if name in _SECRET else f" {error['input']!r}"
    return f"HUB_{name.upper()} cannot be{value}: {error['msg'][0].lower()}{error['msg'][1:]}."
