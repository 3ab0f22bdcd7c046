"""A partner's server that is reached by SFTP: where it is, by which key it is known, and what is done there.

A server is believed by its host key alone, which the configuration names; nobody is trusted at first sight, and neither
the machine's known hosts nor its keys, agents or settings count. A file is under its name when it is whole: it is sent
under another name that nobody else has, and renamed, which never replaces what is there.
"""

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from stat import S_ISREG
from typing import Annotated, Final, Self

import asyncssh
import msgspec
from pydantic import Field, SecretStr, field_validator, model_validator

from adapters.file.durable import FILE_BYTES_MAX, NoFile
from adapters.parts import Part

Path = Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x1f\x7f/]$")]


# Written out, because the library would also take the public half of a private key, which must not be kept open.
HostKey = Annotated[str, Field(max_length=4_000, pattern=r"^[a-z0-9@.-]+ [A-Za-z0-9+/]+=*( [ -~]*)?\n?$")]


class Unreachable(Exception):
    """The partner's server cannot be asked now; the message is for people and has no secret."""


class NotDone(Exception):
    """The partner's server does not do something with one file; the message is for people."""


class Sftp(Part):
    """A server, whom it knows us as, and the two folders of it. ``host_keys``: public keys of the server as OpenSSH
    writes them, of which it has to prove one; two while it changes. ``key``: our private key."""

    host: str = Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9][A-Za-z0-9.:-]*$")
    port: int = Field(default=22, ge=1, le=65_535)
    user: str = Field(min_length=1, max_length=100)
    host_keys: tuple[HostKey, ...] = Field(min_length=1, max_length=10, description="Such as ssh-ed25519 AAAA…")
    password: SecretStr | None = None
    key: SecretStr | None = Field(default=None, description="A private key without a passphrase, as OpenSSH or PEM.")
    outgoing: Path = Field(default="outgoing", description="The folder there into which orders are put.")
    incoming: Path = Field(default="incoming", description="The folder there from which results are fetched.")
    connect_s: int = Field(default=10, ge=1, le=60, description="How long is waited for a connection.")
    transfer_s: int = Field(default=300, ge=1, le=3_600, description="How long one visit may last in all.")
    look_every_s: int = Field(default=60, ge=0, le=3_600, description="How long is waited from one visit to the next.")

    @field_validator("host_keys")
    @classmethod
    def _are_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        for key in keys:
            _public(key)
        return keys

    @field_validator("key")
    @classmethod
    def _is_a_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            _private(key)
        return key

    @model_validator(mode="after")
    def _proves_who_we_are(self) -> Self:
        if self.password is None and self.key is None:
            raise ValueError("it needs a password or a key")
        return self


class Listed(msgspec.Struct, frozen=True):
    """A plain file of the server's: its size in octets, and when it was changed, in seconds by the server's clock."""

    size: int
    changed_at: int


class Remote:
    """The server, while it is connected. What goes wrong with the line is an ``asyncssh.Error`` or an ``OSError``."""

    def __init__(self, client: asyncssh.SFTPClient) -> None:
        self._client = client

    async def files(self, folder: str) -> dict[str, Listed]:
        """The plain files of a folder, by name."""
        found: dict[str, Listed] = {}
        async for entry in self._client.scandir(folder):
            if S_ISREG(entry.attrs.permissions or 0) and isinstance(entry.filename, str):
                found[entry.filename] = Listed(entry.attrs.size or 0, entry.attrs.mtime or 0)
        return found

    async def read(self, folder: str, name: str) -> bytes | None:
        """A file's content as it is now, or None where there is none.

        Raises:
            NoFile: it is too large.
            NotDone: the server does not give it.
        """
        with _told(name):
            try:
                async with self._client.open(f"{folder}/{name}", "rb") as file:
                    size = (await file.stat()).size or 0
                    if size > FILE_BYTES_MAX:
                        raise NoFile(f"{name} is no file of at most {FILE_BYTES_MAX >> 20} MiB.")
                    content: bytes = await file.read(size) if size else b""
                    return content
            except asyncssh.SFTPNoSuchFile:
                return None

    async def put(self, folder: str, name: str, content: bytes) -> None:
        """Have a file there under its name, whole. If it is there already with this content, nothing changes.

        Raises:
            NotDone: another file has the name, and stays as it is; or the server does not take it.
        """
        if await self._is_there(folder, name, content):
            return
        # A name of its own for each sending: an earlier one, whose line broke, may still be renamed.
        temporary = f"{folder}/.{name}.{secrets.token_hex(4)}.part"
        with _told(name):
            async with self._client.open(temporary, "wb") as file:
                await file.write(content)
                with suppress(asyncssh.SFTPOpUnsupported):
                    await file.fsync()
            try:
                await self._client.rename(temporary, f"{folder}/{name}")
            except (asyncssh.SFTPFailure, asyncssh.SFTPFileAlreadyExists):
                if not await self._is_there(folder, name, content):
                    raise
        await self._tidy(folder, name)

    async def _is_there(self, folder: str, name: str, content: bytes) -> bool:
        found = await self.read(folder, name)
        if found is not None and found != content:
            raise NotDone(f"Another file has the name {name} on the partner's server.")
        return found is not None

    async def _tidy(self, folder: str, name: str) -> None:
        """Remove what sendings that broke off have left of a file that is there now."""
        for other in await self.files(folder):
            if other.startswith(f".{name}.") and other.endswith(".part"):
                with suppress(asyncssh.SFTPError):
                    await self._client.remove(f"{folder}/{other}")


@asynccontextmanager
async def connected(sftp: Sftp) -> AsyncIterator[Remote]:
    """The server, connected until the context ends.

    Raises:
        Unreachable: it is not there, is not the one that the configuration names, or does not admit us; or the line
            breaks within the context.
    """
    try:
        connection = await asyncssh.connect(
            sftp.host,
            sftp.port,
            username=sftp.user,
            password=None if sftp.password is None else sftp.password.get_secret_value(),
            client_keys=None if sftp.key is None else [_private(sftp.key)],
            known_hosts=([_public(key) for key in sftp.host_keys], [], []),
            connect_timeout=sftp.connect_s,
            login_timeout=sftp.connect_s,
            agent_path=None,
            config=None,
        )
        try:
            yield Remote(await connection.start_sftp_client())
            connection.close()
            await connection.wait_closed()
        finally:
            connection.abort()  # a silent line would never say that it is closed
    except asyncssh.HostKeyNotVerifiable:
        raise Unreachable(f"{sftp.host} shows another host key than the configuration names.") from None
    except asyncssh.PermissionDenied:
        raise Unreachable(f"{sftp.host} does not admit {sftp.user} with the password or key.") from None
    except asyncssh.SFTPError as error:
        told = error.reason or type(error).__name__
        raise Unreachable(f"{sftp.host} does not do what is asked of it: {told}.") from None
    except (asyncssh.Error, OSError) as error:
        raise Unreachable(f"{sftp.host} cannot be reached, or the line broke ({type(error).__name__}).") from None


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Tell what the server says of one file; what it says of the line is not of a file."""
    try:
        yield
    except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection):
        raise
    except asyncssh.SFTPError as error:
        raise NotDone(f"The partner's server says of {name}: {error.reason or type(error).__name__}.") from None


def _public(text: str) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_public_key(text)
    except (asyncssh.KeyImportError, ValueError):
        raise ValueError("it is no public key such as ssh-ed25519 AAAA…") from None


_NO_KEY: Final = "it is no private key as OpenSSH or PEM has it, or it has a passphrase"


def _private(text: SecretStr) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_private_key(text.get_secret_value())
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError):
        raise ValueError(_NO_KEY) from None
