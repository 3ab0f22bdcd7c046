"""Sealing: secrets that the database keeps are encrypted with a key that is not in it.

The key is a Fernet key (AES-128-CBC with HMAC-SHA256), in the process's environment or in a file in the data folder. It
can be several: the first seals, all open, so that a key is rotated by putting a new one before it, sealing anew, and
taking the old one away. Neither a key nor what was sealed is ever in a repr, an error or a log.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from hub import keyfiles
from hub.errors import Failure
from hub.settings import Settings

CURRENT: Final = "current.keys"


class SealingError(Failure):
    """Secrets cannot be sealed or opened."""

    code = "SEALING"

    def __init__(self, detail: str) -> None:
        super().__init__(f"{self.__doc__} ({detail})")
        self.detail = detail


class MalformedSecretsKey(SealingError):
    """The key of secrets is none: it is 32 random bytes as base64url text, or several of them with commas between."""

    code = "MALFORMED_SECRETS_KEY"


class UnsafeSecretsKey(SealingError):
    """The file of the key of secrets can be reached by others than its owner, this process's user."""

    code = "UNSAFE_SECRETS_KEY"


class SecretsKeyNotFound(SealingError):
    """There is no key of secrets."""

    code = "SECRETS_KEY_NOT_FOUND"


class NotOpened(SealingError):
    """What was sealed was changed since, or none of the keys is the one that it was sealed with."""

    code = "NOT_OPENED"


@dataclass(frozen=True, slots=True)
class SecretsKey:
    """Where this process's key of secrets is: in its environment, or in a file. Looked at anew each time, because it
    may have been rotated; sealing and opening are rare."""

    file: Path
    text: SecretStr | None = None

    @classmethod
    def of(cls, settings: Settings) -> "SecretsKey":
        """The place that the settings name."""
        return cls(settings.data_dir / "secrets" / CURRENT, settings.secrets_key)

    def check(self) -> None:
        """Pass if the key can be used, or none was made yet.

        Raises:
            UnsafeSecretsKey, MalformedSecretsKey: as ``seal``.
        """
        with suppress(SecretsKeyNotFound):
            self._keys(make=False)

    def seal(self, secret: str) -> str:
        """``secret`` as a text that only the keys open. The first sealing makes a key, if it is to be in a file.

        Raises:
            UnsafeSecretsKey: the key's file or folder is open to others.
            MalformedSecretsKey: the key is none.
        """
        return self._keys(make=True).encrypt(secret.encode()).decode("ascii")

    def open(self, sealed: str) -> str:
        """What ``seal`` was given.

        Raises:
            NotOpened: it was changed, or is sealed with another key.
            SecretsKeyNotFound: there is no key.
            UnsafeSecretsKey, MalformedSecretsKey: as for ``seal``.
        """
        keys = self._keys(make=False)
        try:
            return keys.decrypt(sealed.encode()).decode()
        except (InvalidToken, UnicodeError):
            raise NotOpened("no more is told") from None

    def _keys(self, *, make: bool) -> MultiFernet:
        if self.text is not None:
            return _parsed(self.text.get_secret_value(), "HUB_SECRETS_KEY")
        try:
            if make and not self.file.exists():
                keyfiles.prepare(self.file.parent)
                keyfiles.place(self.file, Fernet.generate_key() + b"\n")
            return _parsed(keyfiles.read(self.file).decode("ascii", "replace"), str(self.file))
        except FileNotFoundError:
            raise SecretsKeyNotFound(str(self.file)) from None
        except keyfiles.Unsafe as error:
            raise UnsafeSecretsKey(error.detail) from None


def _parsed(text: str, where: str) -> MultiFernet:
    try:
        return MultiFernet([Fernet(one) for one in text.replace(",", " ").split()])
    except ValueError:  # also of no key at all; the text is not repeated
        raise MalformedSecretsKey(where) from None
