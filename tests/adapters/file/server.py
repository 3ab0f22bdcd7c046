"""A partner's SFTP server, on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import asyncssh

HOST = "127.0.0.1"
USER, PASSWORD = "hub", "a password"


@cache
def key(name: str) -> asyncssh.SSHKey:
    """A private key, the same for the same name."""
    return asyncssh.generate_private_key("ecdsa-sha2-nistp256" if name == "elliptic" else "ssh-ed25519")


def private(name: str, passphrase: str | None = None) -> str:
    """The key's text."""
    return key(name).export_private_key("openssh" if passphrase is None else "pkcs8-pem", passphrase).decode()


def public(name: str) -> str:
    """The text of its public half."""
    return key(name).export_public_key().decode()


@dataclass
class Server:
    """The server: whose files are below ``root``, and what was asked of it."""

    root: Path
    port: int = 0
    logins: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)

    def told(self, **more: Any) -> dict[str, Any]:
        """How a configuration names it."""
        usual = {"host": HOST, "port": self.port, "user": USER, "hostKeys": [public("host")], "password": PASSWORD}
        return {**usual, "lookEveryS": 0, "connectS": 5, "transferS": 5, **more}


class Login(asyncssh.SSHServer):
    def __init__(self, server: Server) -> None:
        self._server = server

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self._server.logins.append("password")
        return (username, password) == (USER, PASSWORD)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, shown: asyncssh.SSHKey) -> bool:
        self._server.logins.append("key")
        return username == USER and shown.public_data == key("hub").public_data


@asynccontextmanager
async def serving(root: Path, *host_keys: str) -> AsyncIterator[Server]:
    """A server, until the context ends."""
    server = Server(root)
    for name in ("outgoing", "incoming"):
        (root / name).mkdir(parents=True, exist_ok=True)

    class Files(asyncssh.SFTPServer):
        def __init__(self, channel: Any) -> None:
            super().__init__(channel, chroot=str(root).encode())

        def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
            name = path.decode().rpartition("/")[2]
            server.opened.append(name)
            if any(refused in name for refused in server.refuses):
                raise asyncssh.SFTPPermissionDenied("Quota exceeded, or so")
            return super().open(path, pflags, attrs)

    listener = await asyncssh.listen(
        HOST,
        0,
        server_host_keys=[key(name) for name in host_keys or ("host",)],
        server_factory=lambda: Login(server),
        sftp_factory=Files,
        allow_scp=False,
    )
    server.port = listener.get_port()
    try:
        yield server
    finally:
        listener.close()
        await listener.wait_closed()
