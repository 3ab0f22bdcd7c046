"""Certificates that are brought to a hub: which are believed. Who may sign is for whoever wires this."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from adapters.conformance import certificate as certificates
from adapters.conformance.check import Verdict
from hub.certificates import Examined
from hub.errors import InvalidInput

TOKEN_MAX = 100_000  # characters


class Signed(Protocol):
    """A signed text whose signature was verified. ``signer``: the thumbprint of the key."""

    @property
    def signer(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def payload(self) -> bytes: ...


Verify = Callable[[str], Signed]  # raises ValueError: nobody who may has signed it


def believed(token: str, verify: Verify, versions: Mapping[str, str], now: datetime) -> Examined:
    """What a certificate says.

    Raises:
        InvalidInput: it is none; nobody who may has signed it; it is of a kind or a version that is not installed, or
            of a time to come.
    """
    if len(token) > TOKEN_MAX:
        raise InvalidInput(certificate="It is too long.")
    try:
        signed = verify(token.strip())
    except ValueError:
        raise InvalidInput(certificate="Nobody who is believed has signed it.") from None
    if signed.type != certificates.TYP:
        raise InvalidInput(certificate="It is something else that was signed.")
    try:
        found = certificates.read(signed.payload)
    except ValueError:
        raise InvalidInput(certificate="It is of another form.") from None
    version = versions.get(found.adapter)
    if version is None:
        raise InvalidInput(certificate=f"The adapter {found.adapter[:60]} is not installed.")
    if version != found.version:
        raise InvalidInput(certificate=f"It is of {found.version[:60]}, and {version} is installed.")
    if found.at > now:
        raise InvalidInput(certificate="It is of a time to come.")
    return Examined(
        adapter=found.adapter,
        version=found.version,
        hub=found.hub,
        signer=signed.signer,
        checked_at=found.at,
        conforms=found.conforms,
        passed=found.count(Verdict.PASSED),
        failed=found.count(Verdict.FAILED),
        excepted=found.count(Verdict.EXCEPTED),
        beside=found.count(Verdict.BESIDE),
        configuration=found.configuration,
        without=found.without,
        capabilities=msgspec.json.encode(found.capabilities, order="deterministic").decode(),
        token=token.strip(),
    )
