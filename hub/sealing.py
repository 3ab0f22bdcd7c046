"""Sealing: secrets that the hub has to use again, kept so that who reads the database cannot.

Authenticated encryption under a key that is not in the database (Fernet: AES-128-CBC and HMAC-SHA-256). There may be
several keys: the first seals, all open. Nothing here says what a secret is for.
"""

import os
from functools import cached_property
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from hub.settings import Settings

KEY_FILE: Final = "sealing.key"


class SealingError(Exception):
    """The secret cannot be opened: it was sealed under another key, or changed."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class Sealer:
    """Seals and opens under the keys in ``text``, separated by commas; without one under that of a file."""

    def __init__(self, file: Path, text: SecretStr | None = None) -> None:
        self._file = file
        self._text = text

    @classmethod
    def of(cls, settings: Settings) -> "Sealer":
        """What the settings name."""
        return cls(settings.data_dir / KEY_FILE, settings.sealing_keys)

    def seal(self, text: str) -> str:
        """``text``, to be read by nobody but ``open``."""
        return self._keys.encrypt(text.encode()).decode()

    def open(self, text: str) -> str:
        """The text that was sealed as ``text``.

        Raises:
            SealingError: it was sealed under none of the keys.
        """
        try:
            return self._keys.decrypt(text.encode()).decode()
        except InvalidToken:
            raise SealingError from None

    @cached_property
    def _keys(self) -> MultiFernet:
        text = self._from_file() if self._text is None else self._text.get_secret_value()
        return MultiFernet([Fernet(key.strip()) for key in text.split(",")])

    def _from_file(self) -> str:
        """The key in the file; the first who asks makes it, whole or not at all."""
        if not self._file.exists():
            self._file.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._file.with_name(f"{KEY_FILE}.{os.getpid()}")
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(Fernet.generate_key())
            try:
                os.link(fresh, self._file)
            except FileExistsError:
                pass  # another process was first
            finally:
                fresh.unlink()
        return self._file.read_text()
