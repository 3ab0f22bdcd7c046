"""Secrets are sealed with a key that is not in the database, and the key can be rotated."""

import os
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from hub.sealing import CURRENT, MalformedSecretsKey, NotOpened, SecretsKey, SecretsKeyNotFound, UnsafeSecretsKey
from hub.settings import Settings

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def of_text(*keys: str) -> SecretsKey:
    return SecretsKey(Path("nowhere"), SecretStr(",".join(keys)))


@pytest.fixture
def key(tmp_path: Path) -> SecretsKey:
    return SecretsKey.of(Settings(data_dir=tmp_path, secrets_key=None))


def test_what_was_sealed_is_opened_and_does_not_show_itself(key: SecretsKey) -> None:
    sealed = key.seal("s3cret 密钥")
    assert key.open(sealed) == "s3cret 密钥"
    assert "s3cret" not in sealed
    assert key.seal("s3cret 密钥") != sealed  # the same secret twice is not to be told by its text


def test_the_first_sealing_makes_a_key_that_only_its_owner_can_read(key: SecretsKey) -> None:
    assert not key.file.exists()
    key.seal("x")
    assert stat.S_IMODE(key.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.file.parent.stat().st_mode) == 0o700
    assert [path.name for path in key.file.parent.iterdir()] == [CURRENT]


def test_of_two_first_sealings_one_key_wins(key: SecretsKey, monkeypatch: pytest.MonkeyPatch) -> None:
    link, sealed = os.link, []

    def slow(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, "link", link)
        sealed.append(key.seal("first"))  # the other process is faster
        link(source, target)

    monkeypatch.setattr(os, "link", slow)
    assert key.open(key.seal("second")) == "second"
    assert key.open(sealed[0]) == "first"


def test_opening_makes_no_key(key: SecretsKey) -> None:
    with pytest.raises(SecretsKeyNotFound):
        key.open(of_text(OLD).seal("x"))
    assert not key.file.exists()


def test_the_first_key_seals_and_all_open() -> None:
    before = of_text(OLD).seal("x")
    rotated = of_text(NEW, OLD)
    assert rotated.open(before) == "x"
    assert of_text(NEW).open(rotated.seal("y")) == "y"
    with pytest.raises(NotOpened):
        of_text(NEW).open(before)


def test_a_file_may_hold_several_keys(key: SecretsKey) -> None:
    key.seal("x")
    key.file.write_text(f"{NEW}\n{OLD}\n")
    assert key.open(of_text(OLD).seal("x")) == "x"
    assert of_text(NEW).open(key.seal("y")) == "y"


def test_what_was_changed_is_not_opened() -> None:
    sealed = of_text(OLD).seal("x")
    for wrong in (sealed[:-4], sealed[:20] + ("A" if sealed[20] != "A" else "B") + sealed[21:], "", "é"):
        with pytest.raises(NotOpened):
            of_text(OLD).open(wrong)


@pytest.mark.parametrize(
    "text",
    ["", ",", "passw0rd", OLD[:-2], f"{OLD},passw0rd"],
    ids=["nothing", "two of nothing", "a word", "too short", "a good one and a word"],
)
def test_what_is_no_key_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(MalformedSecretsKey) as refused:
        of_text(text).seal("x")
    assert len(text) < 3 or text not in str(refused.value)
    assert "HUB_SECRETS_KEY" in str(refused.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_file_open_to_others_is_refused(key: SecretsKey, mode: int) -> None:
    sealed = key.seal("x")
    key.file.chmod(mode)
    with pytest.raises(UnsafeSecretsKey, match=f"0{mode:o}"):
        key.seal("y")
    with pytest.raises(UnsafeSecretsKey, match=f"0{mode:o}"):
        key.open(sealed)


def test_a_folder_that_others_can_write_to_gets_no_key(key: SecretsKey) -> None:
    key.file.parent.mkdir(mode=0o700)
    key.file.parent.chmod(0o770)
    with pytest.raises(UnsafeSecretsKey):
        key.seal("x")


def test_the_key_is_the_settings_and_does_not_show_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_SECRETS_KEY", OLD)
    key = SecretsKey.of(Settings())
    assert of_text(OLD).open(key.seal("x")) == "x"
    assert OLD not in repr(key)
    assert OLD not in repr(Settings())
