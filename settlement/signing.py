"""Signatures of reports: Ed25519 over exactly the stored bytes, and the folder that keeps the keys.

A signature is a compact JWS, alg ``Ed25519`` (RFC 9864) and nothing else, kid = the key's RFC 7638 thumbprint. The
folder holds one private key (``current.pem``) and the public half of every key that ever signed (``<kid>.jwk.json``),
so that a report can be verified for ever. A private key is never shown: not in a repr, an error or a log. What a report
says is not this module's business.
"""

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from hub import keyfiles
from hub.errors import Failure
from settlement.report import PAYLOAD_BYTES_MAX

ALGORITHM: Final = "Ed25519"
TYP: Final = "points-hub-report+jws"
INTERIM_TYP: Final = "points-hub-interim+jws"
SUPPLEMENT_TYP: Final = "points-hub-supplement+jws"
CURRENT: Final = "current.pem"
_PUBLIC_SUFFIX: Final = ".jwk.json"


class SigningError(Failure):
    """The signing key cannot be used."""

    code = "SIGNING"

    def __init__(self, detail: str) -> None:
        super().__init__(f"{self.__doc__} ({detail})")
        self.detail = detail


class MalformedKey(SigningError):
    """The text is no unencrypted Ed25519 private key in PEM or JWK form."""

    code = "MALFORMED_KEY"


class UnsafeKeyFile(SigningError):
    """The signing key's file can be reached by others than its owner, this process's user."""

    code = "UNSAFE_KEY_FILE"


class UnreachableKeyFile(SigningError):
    """The file or the folder of the signing key cannot be read or written."""

    code = "UNREACHABLE_KEY_FILE"


class KeyNotFound(SigningError):
    """There is no signing key."""

    code = "KEY_NOT_FOUND"


class KeyInUse(SigningError):
    """The key signs reports: rotate it before it is revoked."""

    code = "KEY_IN_USE"


class KeyRevoked(SigningError):
    """The signing key is revoked: rotate it."""

    code = "KEY_REVOKED"


class MalformedKeySet(SigningError):
    """HUB_SIGNING_JWKS is no JWK set of Ed25519 public keys."""

    code = "MALFORMED_KEY_SET"


class MalformedJws(ValueError):
    """The text is no JWS in compact serialization."""

    code = "MALFORMED_JWS"

    def __init__(self, detail: str) -> None:
        super().__init__(f"{self.__doc__} ({detail})")
        self.detail = detail


class _Registry(jws.JWSRegistry):
    """The one algorithm allowed; reports of many institutions are longer than the library's usual limit."""

    max_payload_length = PAYLOAD_BYTES_MAX * 4 // 3 + 4


_REGISTRY = _Registry(algorithms=[ALGORITHM])


class SigningKey:
    """A private key that signs payloads. Its repr, like its errors, shows the public thumbprint only."""

    __slots__ = ("_private", "kid")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.kid = str(OKPKey.import_key(private.public_key()).thumbprint())

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.kid!r})"

    def __reduce__(self) -> str:
        raise TypeError("A signing key is not copied or stored this way.")

    @classmethod
    def generate(cls) -> "SigningKey":
        """A new random key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_text(cls, text: str) -> "SigningKey":
        """The key in ``text``: PKCS#8 PEM or a private JWK (kty OKP, crv Ed25519), not encrypted.

        Raises:
            MalformedKey: it is anything else. The text is not repeated in the error.
        """
        stripped = text.strip()
        return cls(_from_jwk(stripped) if stripped.startswith("{") else _from_pem(stripped))

    @classmethod
    def from_file(cls, path: Path) -> "SigningKey":
        """The key in a file that only this process's user can read.

        Raises:
            KeyNotFound: there is no such file.
            UnsafeKeyFile: it belongs to another user, has any permission for group or others, or is no regular file.
            UnreachableKeyFile: it cannot be read.
            MalformedKey: it holds no key.
        """
        try:
            raw = keyfiles.read(path)
        except FileNotFoundError:
            raise KeyNotFound(str(path)) from None
        except keyfiles.Unsafe as error:
            raise UnsafeKeyFile(error.detail) from None
        except OSError as error:
            raise UnreachableKeyFile(f"{path}: {error.strerror}") from None
        try:
            return cls.from_text(raw.decode("ascii"))
        except UnicodeDecodeError:
            raise MalformedKey(str(path)) from None
        except MalformedKey as error:
            raise MalformedKey(f"{path}: {error.detail}") from None

    def public_jwk(self) -> dict[str, str]:
        """The public half as a JWK, with kid, alg and use."""
        x = base64.urlsafe_b64encode(self._private.public_key().public_bytes_raw()).rstrip(b"=").decode()
        return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.kid, "alg": ALGORITHM, "use": "sig"}

    def sign(self, payload: bytes, typ: str = TYP) -> str:
        """The compact JWS over exactly these bytes; ``typ`` says what they are, by default a report."""
        header = {"alg": ALGORITHM, "kid": self.kid, "typ": typ}
        return jws.serialize_compact(header, payload, OKPKey.import_key(self._private), registry=_REGISTRY)

    def private_pem(self) -> bytes:
        """The private key as PKCS#8 PEM, for a file that only its owner can read."""
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@dataclass(frozen=True, slots=True)
class Unverified:
    """A JWS taken apart: nothing in it is to be believed yet."""

    header: Mapping[str, Any]
    payload: bytes


def take_apart(token: str) -> Unverified:
    """Header and payload of a compact JWS, unverified.

    Raises:
        MalformedJws: not three parts of strict base64url, or the header is no JSON object. No white space is forgiven.
    """
    parts = token.split(".")
    if len(parts) != 3:
        raise MalformedJws(f"{len(parts)} parts")
    header_bytes, payload, _ = (_decode(part) for part in parts)
    try:
        header = json.loads(header_bytes.decode())
    except (ValueError, RecursionError):
        raise MalformedJws("the header is no JSON") from None
    if not isinstance(header, dict):
        raise MalformedJws("the header is no object")
    return Unverified(header, payload)


def is_signed_by(token: str, public_jwk: Mapping[str, Any]) -> bool:
    """Whether ``token`` carries a valid Ed25519 signature of this key. Any other alg, key type or fault is no."""
    try:
        key = OKPKey.import_key(_public_key(public_jwk))
        jws.deserialize_compact(token, key, registry=_REGISTRY)
    except (JoseError, ValueError, KeyError, TypeError):
        return False
    return True


def thumbprint(public_jwk: Mapping[str, Any]) -> str:
    """RFC 7638 thumbprint of an Ed25519 public key.

    Raises:
        ValueError: it is no Ed25519 public key.
    """
    return str(OKPKey.import_key(_public_key(public_jwk)).thumbprint())


def ensure(folder: Path) -> SigningKey:
    """The folder's current key; the first call makes it. Its public half is in the folder when this returns.

    Of processes that start together all get the same key.

    Raises:
        UnsafeKeyFile: key file or folder is open to others.
        UnreachableKeyFile: the key file cannot be read, or the folder not be written.
        MalformedKey: the key file holds no key.
    """
    try:
        return _ensured(folder)
    except OSError as error:
        raise UnreachableKeyFile(f"{error.filename or folder}: {error.strerror}") from None


def _ensured(folder: Path) -> SigningKey:
    _prepare(folder)
    try:
        key = SigningKey.from_file(folder / CURRENT)
    except KeyNotFound:
        made = SigningKey.generate()
        publish(folder, made)
        if not keyfiles.place(folder / CURRENT, made.private_pem()):
            _public_path(folder, made.kid).unlink()  # it never signed
        key = SigningKey.from_file(folder / CURRENT)
    publish(folder, key)
    return key


def publish(folder: Path, key: SigningKey) -> None:
    """Keep the public half of ``key`` in the folder; also for keys that come from the environment."""
    path = _public_path(folder, key.kid)
    if not path.exists():
        _prepare(folder)
        os.replace(keyfiles.written(folder, json.dumps(key.public_jwk(), sort_keys=True).encode()), path)
        keyfiles.sync(folder)


def rotate(folder: Path) -> SigningKey:
    """A new current key. The old private key is overwritten and gone, its public half stays.

    A crash in between leaves either the old or the new key, and never a key whose public half is missing. A process
    that still holds the old key in memory goes on making valid signatures until it loads again.

    Raises:
        KeyNotFound, UnsafeKeyFile, MalformedKey: as ``SigningKey.from_file``, for the old key.
    """
    current = folder / CURRENT
    publish(folder, SigningKey.from_file(current))
    new = SigningKey.generate()
    publish(folder, new)
    temporary = keyfiles.written(folder, new.private_pem())
    with open(current, "r+b") as old:  # keeps the old file reachable past the rename, to overwrite it
        try:
            os.replace(temporary, current)
        except OSError:
            temporary.unlink()
            raise
        keyfiles.sync(folder)
        old.write(b"\0" * os.fstat(old.fileno()).st_size)
        old.flush()
        os.fsync(old.fileno())
    return new


def key_set(text: str) -> list[dict[str, str]]:
    """The public keys of a JWK set, such as the hub itself serves.

    Raises:
        MalformedKeySet: it is none, it is empty, or a key in it is of another kind.
    """
    try:
        keys = [_public_jwk(member) for member in json.loads(text)["keys"]]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise MalformedKeySet("its text is JSON with the member keys") from None
    if not keys:
        raise MalformedKeySet("there is no key in it")
    return keys


def jwks(folder: Path) -> dict[str, list[dict[str, str]]]:
    """Every public key that ever signed, as a JWK set, sorted by kid.

    Raises:
        MalformedKey: a file in the folder holds no public key, or another than its name says.
    """
    keys = []
    for path in sorted(folder.glob(f"*{_PUBLIC_SUFFIX}")):
        try:
            stored = json.loads(path.read_text("utf-8"))
            kid = thumbprint(stored)
        except (ValueError, RecursionError):
            raise MalformedKey(str(path)) from None
        if path != _public_path(folder, kid):
            raise MalformedKey(str(path))
        keys.append(_public_jwk(stored))
    return {"keys": keys}


def _from_pem(text: str) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except Exception:  # the library's many errors may quote the text
        raise MalformedKey("no readable PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise MalformedKey("the PEM holds another kind of key")
    return key


def _from_jwk(text: str) -> Ed25519PrivateKey:
    try:
        members = json.loads(text)
        if members["kty"] != "OKP" or members["crv"] != "Ed25519":
            raise ValueError("another kind of key")
        key = Ed25519PrivateKey.from_private_bytes(_decode(members["d"]))
        if _decode(members["x"]) != key.public_key().public_bytes_raw():
            raise ValueError("d and x are of different keys")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise MalformedKey("no private JWK of an Ed25519 key") from None
    return key


def _public_jwk(members: Mapping[str, Any]) -> dict[str, str]:
    """A public key as the hub spells it, whatever else was said of it; a ``ValueError`` if it is none."""
    kid = thumbprint(members)
    return {"kty": "OKP", "crv": "Ed25519", "x": members["x"], "kid": kid, "alg": ALGORITHM, "use": "sig"}


def _public_key(members: Mapping[str, Any]) -> Ed25519PublicKey:
    if not isinstance(members, Mapping) or members.get("kty") != "OKP" or members.get("crv") != "Ed25519":
        raise ValueError("no Ed25519 key")
    x = members.get("x")
    if not isinstance(x, str) or "d" in members:
        raise ValueError("no public key")
    return Ed25519PublicKey.from_public_bytes(_decode(x))


def _decode(part: str) -> bytes:
    try:
        raw = base64.b64decode(part.encode("ascii") + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise MalformedJws("a part is no base64url") from None
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != part:
        raise MalformedJws("a part is base64url in another spelling")
    return raw


def _prepare(folder: Path) -> None:
    try:
        keyfiles.prepare(folder)
    except keyfiles.Unsafe as error:
        raise UnsafeKeyFile(error.detail) from None


def _public_path(folder: Path, kid: str) -> Path:
    return folder / f"{kid}{_PUBLIC_SUFFIX}"
