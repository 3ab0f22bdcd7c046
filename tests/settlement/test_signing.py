import base64
import json
import os
import pickle
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from joserfc import jws
from joserfc.jwk import OKPKey

from settlement.signing import (
    CURRENT,
    KeyNotFound,
    MalformedJws,
    MalformedKey,
    SigningKey,
    UnsafeKeyFile,
    ensure,
    is_signed_by,
    jwks,
    publish,
    rotate,
    take_apart,
    thumbprint,
)

# The key of RFC 8037 appendix A, with its thumbprint from A.3.
RFC_8037 = {
    "kty": "OKP",
    "crv": "Ed25519",
    "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}
RFC_8037_KID = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "signing"


def test_kid_is_the_rfc_7638_thumbprint() -> None:
    key = SigningKey.from_text(json.dumps(RFC_8037))
    assert key.kid == RFC_8037_KID
    assert thumbprint(key.public_jwk()) == RFC_8037_KID
    assert key.public_jwk() == {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": RFC_8037["x"],
        "kid": RFC_8037_KID,
        "alg": "Ed25519",
        "use": "sig",
    }


def test_a_signature_covers_exactly_the_bytes() -> None:
    key = SigningKey.generate()
    token = key.sign(b'{"b":1, "a":"\xc3\xa9"}')
    unverified = take_apart(token)
    assert unverified.payload == b'{"b":1, "a":"\xc3\xa9"}'
    assert unverified.header == {"alg": "Ed25519", "kid": key.kid, "typ": "points-hub-report+jws"}
    assert is_signed_by(token, key.public_jwk())
    assert not is_signed_by(token, SigningKey.generate().public_jwk())
    header, _, signature = token.split(".")
    other = base64.urlsafe_b64encode(b'{"b":1,"a":"\xc3\xa9"}').rstrip(b"=").decode()
    assert not is_signed_by(f"{header}.{other}.{signature}", key.public_jwk())


def test_a_report_of_many_institutions_can_be_signed() -> None:
    key = SigningKey.generate()
    payload = b"x" * 2_000_000
    token = key.sign(payload)
    assert is_signed_by(token, key.public_jwk())
    assert take_apart(token).payload == payload


def test_only_this_algorithm_is_verified() -> None:
    okp = OKPKey.generate_key("Ed448")
    registry = jws.JWSRegistry(algorithms=["Ed448", "HS256"])
    token = jws.serialize_compact({"alg": "Ed448"}, b"x", okp, registry=registry)
    assert not is_signed_by(token, okp.as_dict(private=False))
    key = SigningKey.generate()
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    assert not is_signed_by(f"{none}.eA.", key.public_jwk())
    assert not is_signed_by("x", key.public_jwk())
    assert not is_signed_by(key.sign(b"x"), {"kty": "oct", "k": "eA"})
    assert not is_signed_by(key.sign(b"x"), {**key.public_jwk(), "x": "AA"})


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b",
        "e30.e30.e30.e30",
        "e30=.e30.",
        "e31.e30.",
        "e30 .e30.",
        " e30.e30.",
        "é.e30.",
        "W10.e30.",
        "!!.e30.",
        "e30.e30.\n",
        f"{base64.urlsafe_b64encode(b'[' * 9_999).decode().rstrip('=')}.e30.",
    ],
)
def test_what_is_no_jws_is_not_taken_apart(token: str) -> None:
    with pytest.raises(MalformedJws):
        take_apart(token)


def test_a_key_is_read_from_pem_and_jwk() -> None:
    key = SigningKey.generate()
    assert SigningKey.from_text("\n" + key.private_pem().decode()).kid == key.kid
    assert SigningKey.from_text(json.dumps(RFC_8037)).kid == RFC_8037_KID


def malformed_keys() -> list[str]:
    elliptic = generate_private_key(SECP256R1())
    encrypted = OKPKey.import_key(dict(RFC_8037)).private_key
    assert encrypted is not None
    swapped = {**RFC_8037, "x": SigningKey.generate().public_jwk()["x"]}
    return [
        "",
        "secret",
        "{",
        "{}",
        '{"kty": 1}',
        json.dumps({**RFC_8037, "d": "AA"}),
        json.dumps({**RFC_8037, "d": 5}),
        json.dumps({**RFC_8037, "crv": "X25519"}),
        json.dumps({name: value for name, value in RFC_8037.items() if name != "d"}),
        json.dumps(swapped),
        elliptic.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        encrypted.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pw")).decode(),
        SigningKey.generate().private_pem().decode().replace("M", "N", 3),
    ]


@pytest.mark.parametrize("text", malformed_keys(), ids=range(len(malformed_keys())))
def test_what_is_no_key_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(MalformedKey) as refused:
        SigningKey.from_text(text)
    assert len(text) < 5 or text not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None or refused.value.__suppress_context__


def test_a_key_does_not_show_itself() -> None:
    key = SigningKey.from_text(json.dumps(RFC_8037))
    assert repr(key) == f"SigningKey(kid='{RFC_8037_KID}')"
    assert RFC_8037["d"] not in f"{key} {key!r}"
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_the_first_start_makes_a_key_that_only_its_owner_can_read(folder: Path) -> None:
    key = ensure(folder)
    assert stat.S_IMODE((folder / CURRENT).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert ensure(folder).kid == key.kid
    assert jwks(folder) == {"keys": [key.public_jwk()]}
    assert sorted(path.name for path in folder.iterdir()) == sorted([CURRENT, f"{key.kid}.jwk.json"])


def test_of_two_first_starts_one_key_wins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link, keys = os.link, []

    def slow(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, "link", link)
        keys.append(ensure(folder))  # the other process is faster
        link(source, target)

    monkeypatch.setattr(os, "link", slow)
    assert ensure(folder).kid == keys[0].kid
    assert jwks(folder) == {"keys": [keys[0].public_jwk()]}
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o620, 0o601])
def test_a_key_file_open_to_others_is_refused(folder: Path, mode: int) -> None:
    ensure(folder)
    (folder / CURRENT).chmod(mode)
    with pytest.raises(UnsafeKeyFile, match=f"0{mode:o}"):
        SigningKey.from_file(folder / CURRENT)


def test_a_key_file_of_another_user_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure(folder)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(UnsafeKeyFile, match=f"belongs to user {owner}"):
        SigningKey.from_file(folder / CURRENT)


def test_a_folder_that_others_can_write_to_is_refused(folder: Path) -> None:
    ensure(folder)
    folder.chmod(0o770)
    with pytest.raises(UnsafeKeyFile):
        ensure(folder)


def test_what_is_no_key_file_is_refused(folder: Path) -> None:
    with pytest.raises(KeyNotFound):
        SigningKey.from_file(folder / CURRENT)
    folder.mkdir(mode=0o700)
    os.mkfifo(folder / "pipe", 0o600)
    with pytest.raises(UnsafeKeyFile, match="no regular file"):
        SigningKey.from_file(folder / "pipe")
    (folder / CURRENT).write_bytes(b"\xff")
    (folder / CURRENT).chmod(0o600)
    with pytest.raises(MalformedKey):
        ensure(folder)


def test_rotation_destroys_the_private_key_and_keeps_the_public_one(folder: Path) -> None:
    old = ensure(folder)
    token = old.sign(b"report")
    inode = os.open(folder / CURRENT, os.O_RDONLY)
    new = rotate(folder)
    assert new.kid != old.kid
    assert ensure(folder).kid == new.kid
    listed = {key["kid"]: key for key in jwks(folder)["keys"]}
    assert listed.keys() == {old.kid, new.kid}
    assert is_signed_by(token, listed[old.kid])
    assert is_signed_by(new.sign(b"report"), listed[new.kid])
    assert set(os.read(inode, 4_096)) == {0}  # the old file's bytes, not only its name
    os.close(inode)
    everything = b"".join(path.read_bytes() for path in folder.iterdir())
    assert old.private_pem().split(b"\n")[1] not in everything
    assert stat.S_IMODE((folder / CURRENT).stat().st_mode) == 0o600
    assert len(list(folder.iterdir())) == 3


def test_a_failed_rotation_loses_no_key_and_leaves_none_about(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = ensure(folder)
    replace = os.replace

    def crash(source: Path, target: Path) -> None:
        if target.name == CURRENT:
            raise OSError("disk is gone")
        replace(source, target)

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(OSError, match="disk"):
        rotate(folder)
    monkeypatch.undo()
    assert ensure(folder).kid == old.kid
    assert [path.name for path in folder.iterdir() if path.suffix == ".tmp"] == []
    assert old.kid in [key["kid"] for key in jwks(folder)["keys"]]


def test_a_key_put_into_the_folder_by_hand_is_listed(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    (folder / CURRENT).write_text(json.dumps(RFC_8037))
    (folder / CURRENT).chmod(0o600)
    ensure(folder)
    outside = SigningKey.generate()
    publish(folder, outside)
    assert {key["kid"] for key in jwks(folder)["keys"]} == {RFC_8037_KID, outside.kid}


def test_the_key_set_never_holds_what_is_no_public_key(folder: Path) -> None:
    key = ensure(folder)
    path = folder / f"{key.kid}.jwk.json"
    for content in [json.dumps(RFC_8037), "{}", "[]", "x", json.dumps(SigningKey.generate().public_jwk())]:
        path.write_text(content)
        with pytest.raises(MalformedKey):
            jwks(folder)
