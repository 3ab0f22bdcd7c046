"""Signers: whose signatures on what others bring are believed. The hub's own keys, old ones too, and the public keys
that the operator has put into a folder, such as those of the hub that checks adapters."""

from dataclasses import dataclass
from pathlib import Path

from hub.settings import Settings
from settlement import signing
from settlement.publish import Keys


@dataclass(frozen=True, slots=True)
class Signed:
    """A text whose signature was verified. ``signer``: the thumbprint of the key; ``type``: the header's ``typ``."""

    signer: str
    type: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Signers:
    """The keys that are believed: ``keys`` and those in ``folder``, which are files as the hub's own are."""

    keys: Keys
    folder: Path

    @classmethod
    def of(cls, settings: Settings) -> "Signers":
        """Those of the hub that the settings name."""
        return cls(Keys.of(settings), settings.data_dir / "certifiers")

    def verified(self, token: str) -> Signed:
        """What was signed.

        Raises:
            ValueError: none of these keys has signed it.
            SigningError: a key cannot be used.
        """
        for key in (*self.keys.public(), *signing.jwks(self.folder)["keys"]):
            if signing.is_signed_by(token, key):
                apart = signing.take_apart(token)
                return Signed(signing.thumbprint(key), str(apart.header.get("typ", "")), apart.payload)
        raise ValueError("None of the keys that are believed has signed it.")
