"""The file by which an adapter is checked from the command line, and the harness that is made of it.

    {"configuration": {...}, "sandbox": "http://127.0.0.1:9000", "address": "url", "without": ["allowPlainHttp"],
     "members": [{"member": "M-1", "lookup": {"membershipNumber": "M-1", "familyName": "Li"}}], "exceptions": {...}}

``configuration`` is the adapter's own. ``sandbox`` is a simulator, which enrolls members as they are needed; a live
partner has ``members`` that may be used instead, each by one check at a time and with points enough. ``address`` names
the field of the configuration that has the partner's URL, so that the fault proxy can be put in its place. ``tls`` is
for the sandbox and for the proxy, which speaks plainly to the adapter: an authority, and our certificate with its key.
``without`` names fields that are others where the adapter is used; the certificate says that it does not speak of them,
nor of the address.
"""

import itertools
import secrets
import ssl
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx2
import msgspec
from pydantic import BaseModel, ConfigDict, Field

from adapters.conformance.trial import Failed, Seeded, Upstream
from adapters.tls import Tls
from hub.partners import Kind, Partner, PartnerUnavailable
from hub.points import parse, render

FAMILY_NAME = "Li"


class TrialMember(BaseModel):
    """A member of a live partner's that may be used."""

    model_config = ConfigDict(extra="forbid")

    member: str
    lookup: dict[str, str] = {}


class TrialSettings(BaseModel):
    """What the file says."""

    model_config = ConfigDict(extra="forbid")

    configuration: dict[str, Any]
    sandbox: str | None = None
    address: str | None = None
    tls: Tls = Tls()
    without: list[str] = Field(default=[], description="Fields that differ where the adapter is used.")
    members: list[TrialMember] = []
    exceptions: dict[str, str] = Field(default={}, description="Checks that are left out, each with its reason.")


class WrongTrial(ValueError):
    """The trial's file cannot be used."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"The trial's file cannot be used: {detail}")


def read(path: Path) -> TrialSettings:
    """The trial that a file describes.

    Raises:
        WrongTrial: it describes none.
    """
    try:
        settings = TrialSettings.model_validate_json(path.read_bytes())
    except ValueError as error:
        raise WrongTrial(_first_line(error)) from None
    if settings.sandbox is None and not settings.members:
        raise WrongTrial("name a 'sandbox', or 'members' that may be used.")
    if settings.address is not None and not isinstance(settings.configuration.get(settings.address), str):
        raise WrongTrial(f"the configuration has no text field {settings.address!r}, which is said to be the address.")
    return settings


@cache
def _context(tls: Tls) -> ssl.SSLContext:
    """With what TLS is spoken; reading that takes longer than a question."""
    return tls.context()


class FileHarness:
    """The harness that a file describes, for a kind of adapter."""

    def __init__(self, kind: Kind, settings: TrialSettings) -> None:
        self._kind = kind
        self._settings = settings
        self._members = itertools.cycle(settings.members)
        self._scale: int | None = None
        self.configuration = self._connect(settings.configuration)  # what is wrong with it is told now

    @property
    def exceptions(self) -> Mapping[str, str]:
        """Those that the file lists."""
        return self._settings.exceptions

    @property
    def upstream(self) -> Upstream | None:
        """The host of the address."""
        if self._settings.address is None:
            return None
        address = urlsplit(self._settings.configuration[self._settings.address])
        tls = _context(self._settings.tls) if address.scheme == "https" else None
        return Upstream(address.hostname or "", address.port or (80 if tls is None else 443), tls)

    async def connect(self, port: int | None) -> Partner:
        """The adapter, by the file's configuration."""
        configuration = dict(self._settings.configuration)
        if port is not None and self._settings.address is not None:
            address = urlsplit(configuration[self._settings.address])
            there = address._replace(scheme="http", netloc=f"127.0.0.1:{port}")
            configuration[self._settings.address] = urlunsplit(there)
        partner = self._kind.connect(self._connect(configuration))
        self._scale = partner.capabilities.scale
        return partner

    async def member(self, available: int) -> Seeded:
        """A member of the sandbox's, made for the purpose, or the next of the file's."""
        if self._settings.sandbox is None:
            chosen = next(self._members)
            return Seeded(chosen.member, chosen.lookup)
        reference = f"T-{secrets.token_hex(4).upper()}"
        body = {"member": reference, "familyName": FAMILY_NAME, "available": render(available, self._scale or 0)}
        await self._ask("POST", "/sandbox/members", body)
        return Seeded(reference, {"membershipNumber": reference, "familyName": FAMILY_NAME})

    async def available(self, partner: Partner, member: Seeded) -> int | None:
        """What the sandbox's books say, or the partner's look-up."""
        if self._settings.sandbox is not None:
            told = await self._ask("GET", f"/sandbox/members/{member.reference}")
            return parse(told["available"], self._scale or 0)
        try:
            found = await partner.lookup(member.fields)
        except PartnerUnavailable:
            return None
        return None if found is None else found.available

    async def settle(self) -> None:
        """The sandbox's night; a live partner has to be given its own time."""
        if self._settings.sandbox is not None:
            await self._ask("POST", "/sandbox/night")

    def _connect(self, configuration: Mapping[str, Any]) -> BaseModel:
        try:
            return self._kind.configuration.model_validate(configuration)
        except ValueError as error:
            raise WrongTrial(_first_line(error)) from None

    async def _ask(self, method: str, path: str, body: object = None) -> Any:
        tls = _context(self._settings.tls)
        async with httpx2.AsyncClient(base_url=str(self._settings.sandbox), verify=tls, trust_env=False) as client:
            try:
                answer = await client.request(method, path, json=body)
            except httpx2.HTTPError as error:
                raise Failed(f"The sandbox cannot be asked ({type(error).__name__}).") from None
        if not answer.is_success:
            raise Failed(f"The sandbox answers {path} with HTTP {answer.status_code}: {answer.text[:200]}")
        return msgspec.json.decode(answer.content)


def _first_line(error: ValueError) -> str:
    """What is wrong, without the values, which may be secret."""
    details = getattr(error, "errors", None)
    if details is None:
        return str(error)
    found = details(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'the file'}: {one['msg']}" for one in found)
