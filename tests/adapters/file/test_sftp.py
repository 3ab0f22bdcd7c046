"""A server's configuration fits and gives nothing away, and a large file is there whole or not at all."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.conformance.proxy import Breach, Fault, Proxy
from adapters.file import kind
from adapters.file.sftp import Remote, Sftp, Unreachable, connected
from adapters.registry import Installed, Registry
from hub.sealing import SecretsKey
from tests.adapters.file.server import HOST, PASSWORD, Server, private, public, serving
from tests.adapters.file.test_configuration import BASE

GOOD: dict[str, Any] = {"host": "sftp.jade.example", "user": "hub", "hostKeys": [public("host")], "password": "secret"}
LARGE = bytes(range(256)) * 8_192  # 2 MiB


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"hostKeys": []}, "at least 1 item"),
        ({"hostKeys": None}, "valid tuple"),
        ({"hostKeys": ["jade.example ssh-ed25519 AAAA"]}, "hostKeys"),
        ({"hostKeys": [private("host")]}, "hostKeys"),
        ({"hostKeys": [public("host"), "any"]}, "hostKeys"),
        ({"hostKeys": ["ssh-ed25519 AAAA"]}, "no public key such as"),
        ({"password": None}, "needs a password or a key"),
        ({"key": "not a key"}, "no private key"),
        ({"key": public("hub")}, "no private key"),
        ({"key": private("hub", "its passphrase")}, "has a passphrase"),
        ({"host": "jade example"}, "host"),
        ({"port": 0}, "port"),
        ({"outgoing": "to/"}, "outgoing"),
        ({"incoming": "a\nb"}, "incoming"),
        ({"transferS": 0}, "transferS"),
        ({"knownHosts": "any"}, "Extra inputs"),
    ],
    ids=lambda one: str(one)[:40],
)
def test_what_does_not_fit_is_refused_without_its_secrets(more: dict[str, Any], told: str) -> None:
    Sftp.model_validate(GOOD)
    with pytest.raises(ValidationError, match=told) as refused:
        Sftp.model_validate({**GOOD, **more})
    assert "secret" not in str(refused.value)
    assert "PRIVATE" not in str(refused.value)


def test_a_configuration_without_host_keys_is_refused() -> None:
    with pytest.raises(ValidationError, match="hostKeys"):
        Sftp.model_validate({name: value for name, value in GOOD.items() if name != "hostKeys"})


async def test_password_and_key_are_sealed(tmp_path: Path) -> None:
    registry = Registry(Installed({"file": kind}), SecretsKey(tmp_path / "key"))
    told = {**BASE, "sftp": {**GOOD, "password": PASSWORD, "key": private("hub")}}
    kept = (await registry.check("file", told)).sealed
    for secret in (PASSWORD, private("hub").splitlines()[1]):
        assert secret not in kept
    assert public("host").split()[1] in kept
    partner = registry.connect("file", kept)
    assert partner.capabilities.unit == "MILES"
    await partner.close()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with serving(tmp_path) as made:
        yield made


def told(server: Server, **more: Any) -> Sftp:
    return Sftp.model_validate(server.told(**more))


async def test_a_large_file_goes_and_comes_whole(server: Server) -> None:
    async with connected(told(server)) as remote:
        await remote.put("outgoing", "large.csv", LARGE)
        assert await remote.read("outgoing", "large.csv") == LARGE
        assert await remote.read("outgoing", "none.csv") is None
        assert list(await remote.files("outgoing")) == ["large.csv"]
    assert (server.root / "outgoing" / "large.csv").read_bytes() == LARGE


async def test_folders_and_links_are_no_files(server: Server) -> None:
    (server.root / "incoming" / "folder").mkdir()
    (server.root / "incoming" / "link").symlink_to("elsewhere")
    (server.root / "incoming" / "empty").touch()
    async with connected(told(server)) as remote:
        assert list(await remote.files("incoming")) == ["empty"]
        assert await remote.read("incoming", "empty") == b""


async def test_a_large_file_whose_line_breaks_in_the_middle_is_not_there_and_what_was_sent_is_tidied_away(
    server: Server,
) -> None:
    async with Proxy(HOST, server.port) as proxy:
        broken = told(server, port=proxy.port)

        async def put(remote: Remote) -> None:
            await remote.put("outgoing", "large.csv", LARGE)

        proxy.arm(Fault(breach=Breach.DROP_BEFORE, after=len(LARGE) // 2))
        with pytest.raises(Unreachable):
            await within(broken, put)
        [part] = (server.root / "outgoing").iterdir()
        assert part.name.startswith(".large.csv.")
        assert part.stat().st_size < len(LARGE)
        await within(broken, put)
        [whole] = (server.root / "outgoing").iterdir()
        assert whole.read_bytes() == LARGE


async def test_a_large_file_whose_line_breaks_on_the_way_back_is_not_believed_to_be_whole(server: Server) -> None:
    (server.root / "incoming" / "large.csv").write_bytes(LARGE)
    async with Proxy(HOST, server.port) as proxy:
        broken = told(server, port=proxy.port)
        found: list[bytes | None] = []

        async def read(remote: Remote) -> None:
            await remote.files("incoming")
            proxy.arm(Fault(breach=Breach.CUT_SHORT))
            found.append(await remote.read("incoming", "large.csv"))

        with pytest.raises(Unreachable):
            await within(broken, read)
        assert found == []


async def within(sftp: Sftp, do: Any) -> None:
    async with connected(sftp) as remote:
        await do(remote)
