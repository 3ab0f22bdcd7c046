"""TLS towards a partner: always verified, against the machine's authorities or the partner's own; with our certificate
where the partner asks for one."""

import ssl
import tempfile

from pydantic import Field, SecretStr, model_validator

from adapters.parts import Part


class Tls(Part):
    """``authority``: the PEM certificates that alone may vouch for the partner, instead of the machine's.
    ``certificate`` and ``key``: our own, as PEM, where the partner asks who calls (mTLS)."""

    authority: str | None = Field(default=None, max_length=50_000)
    certificate: str | None = Field(default=None, max_length=50_000)
    key: SecretStr | None = None

    @model_validator(mode="after")
    def _can_be_used(self) -> "Tls":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a certificate has its key with it, and a key its certificate")
        if self.authority is not None or self.certificate is not None:
            self.context()
        return self

    def context(self) -> ssl.SSLContext:
        """What a connection is made with.

        Raises:
            ValueError: a certificate or the key is no PEM, or they do not belong together.
        """
        try:
            made = ssl.create_default_context(cadata=self.authority)
        except (ssl.SSLError, ValueError):
            raise ValueError("the authority is no certificate in PEM") from None
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate is not None and self.key is not None:
            # The library reads files only. This one has no other reader (0600) and is gone before it is used.
            with tempfile.NamedTemporaryFile(suffix=".pem") as file:
                file.write(f"{self.certificate}\n{self.key.get_secret_value()}\n".encode())
                file.flush()
                try:
                    made.load_cert_chain(file.name, password=_none)
                except (ssl.SSLError, ValueError, OSError):
                    raise ValueError("certificate and key are no unencrypted PEM, or not of each other") from None
        return made


def _none() -> str:
    """Instead of asking at the terminal for the password of an encrypted key."""
    raise ValueError("the key is encrypted")
