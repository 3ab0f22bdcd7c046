"""Sealing: secrets that the database keeps are encrypted with a key that is not in it.

The key is a Fernet key (AES-128-CBC with HMAC-SHA256), in the process's environment or in a file in the data folder. It
can be several: the first seals, all open.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from hub.settings import Settings

CURRENT: Final = "current.keys"


class SealingError(Exception):
    """Secrets cannot be sealed or opened."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"{self.__doc__} ({detail})")


class NotOpened(SealingError):
    """What was sealed was changed since, or none of the keys is the one that it was sealed with."""


@dataclass(frozen=True, slots=True)
class SecretsKey:
    """Where this process's key of secrets is: in its environment, or in a file."""

    file: Path
    text: SecretStr | None = None

    @classmethod
    def of(cls, settings: Settings) -> "SecretsKey":
        """The place that the settings name."""
        return cls(settings.data_dir / "secrets" / CURRENT, settings.secrets_key)

    def seal(self, secret: str) -> str:
        """``secret`` as a text that only the keys open. The first sealing makes a key, if it is to be in a file."""
        return self._keys().encrypt(secret.encode()).decode("ascii")

    def open(self, sealed: str) -> str:
        """What ``seal`` was given.

        Raises:
            NotOpened: it was changed, or is sealed with another key.
        """
        try:
            return self._keys().decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise NotOpened("no more is told") from None

    def _keys(self) -> MultiFernet:
        text = self._from_file() if self.text is None else self.text.get_secret_value()
        return MultiFernet([Fernet(one) for one in text.replace(",", " ").split()])

    def _from_file(self) -> str:
        """The key in the file; the first who asks makes it, whole or not at all."""
        if not self.file.exists():
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = self.file.with_name(f"{CURRENT}.{os.getpid()}")
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(Fernet.generate_key())
            try:
                os.link(fresh, self.file)
            except FileExistsError:
                pass  # another process was first
            finally:
                fresh.unlink()
        return self.file.read_text()
