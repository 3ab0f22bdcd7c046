"""Sealing: what is sealed can be opened under any of the keys, and under no other."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from hub.sealing import NotOpened, SecretsKey


def test_what_is_sealed_is_opened_and_tells_nothing(tmp_path: Path) -> None:
    sealer = SecretsKey(tmp_path / "sealing.key")
    sealed = sealer.seal("whsec_x")
    assert "whsec" not in sealed
    assert sealer.open(sealed) == "whsec_x"
    assert sealer.seal("whsec_x") != sealed
    assert SecretsKey(tmp_path / "sealing.key").open(sealed) == "whsec_x"  # the file's key is made once
    assert (tmp_path / "sealing.key").stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["sealing.key"]


def test_the_newest_key_seals_and_older_ones_open(tmp_path: Path) -> None:
    old, fresh = (Fernet.generate_key().decode() for _ in range(2))
    before = SecretsKey(tmp_path / "none", SecretStr(old))
    after = SecretsKey(tmp_path / "none", SecretStr(f"{fresh}, {old}"))
    assert after.open(before.seal("s")) == "s"
    with pytest.raises(NotOpened):
        before.open(after.seal("s"))
    with pytest.raises(NotOpened):
        before.open("nothing that was sealed")
