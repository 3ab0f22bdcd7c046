"""Adapters: the kinds that are installed, their configurations, and the partners that are connected by them.

A kind is found by its name among the entry points of ``hub.partners.ENTRY_POINTS``, ours as anybody's. One that cannot
be loaded is reported by name and stops nothing. ``hosted`` is none of them: there the hub keeps the balances.

A configuration is kept as one text: what is no secret as it was given, and all secrets in one sealed part that also
holds the digest of the rest. So whoever can write to the database, but not open the seal, cannot have a partner's
secret sent to another address.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, Protocol

import msgspec
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from adapters.certified import Signed, Verify, believed
from hub.certificates import Examined
from hub.errors import InvalidInput
from hub.partners import ENTRY_POINTS, Kind, Partner, PartnerUnavailable

HOSTED: Final = "hosted"
ERRORS_MAX: Final = 20  # that are told of one configuration
_ANY: Final = TypeAdapter[Any](Any)
_canonical = msgspec.json.Encoder(order="sorted").encode


class Sealer(Protocol):
    """Keeps secrets under a key that is not in the database."""

    def seal(self, secret: str, /) -> str:
        """The secret as a text that only the key opens."""

    def open(self, sealed: str, /) -> str:
        """The secret."""


class Kept(msgspec.Struct, frozen=True):
    """A configuration as it is kept; ``sealed`` is a ``Secrets``."""

    configuration: dict[str, Any]
    sealed: str


class Secrets(msgspec.Struct, frozen=True):
    """The secrets of a configuration by their paths; ``rest`` is the digest of what they belong to."""

    rest: str
    secrets: dict[str, str]


@dataclass(frozen=True, slots=True)
class Installed:
    """The kinds that are installed, by name, and those that cannot be used, with why. ``versions``: the distribution
    that brings a kind, and its version."""

    kinds: Mapping[str, Kind]
    broken: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def installed() -> Installed:
    """What is installed beside this process. Loading a kind runs its distribution's code."""
    kinds: dict[str, Kind] = {}
    broken: dict[str, str] = {}
    versions: dict[str, str] = {}
    for point in entry_points(group=ENTRY_POINTS):
        if point.name in kinds or point.name in broken or point.name == HOSTED:
            # Whose it would be is not for the order of folders to say.
            kinds.pop(point.name, None)
            broken[point.name] = "The name is taken."
            continue
        versions[point.name] = "unknown" if point.dist is None else f"{point.dist.name} {point.dist.version}"
        try:
            kinds[point.name] = _loaded(point)
        except Exception as error:  # whatever somebody else's code does
            broken[point.name] = f"{type(error).__name__}: {error}"
    return Installed(kinds, broken, {name: versions[name] for name in kinds})


def _loaded(point: EntryPoint) -> Kind:
    kind: Kind = point.load()
    if not (isinstance(kind.configuration, type) and issubclass(kind.configuration, BaseModel)):
        raise TypeError("its configuration is no pydantic model")
    kind.configuration.model_json_schema()
    if not callable(kind.connect):
        raise TypeError("it does not connect")
    return kind


@dataclass(frozen=True, slots=True)
class Checked:
    """A configuration that is good: the text to keep, how many decimals the partner counts its points with, what it
    does, and of which of these it does a part."""

    sealed: str
    scale: int
    operations: tuple[str, ...]
    partial: tuple[str, ...]


def _nobody(token: str) -> Signed:
    raise ValueError("Nobody is believed here.")


class Registry:
    """The adapters of one process, and its connected partners: one per currency and configuration. ``verify``: whose
    certificates are believed."""

    def __init__(self, installed: Installed, sealer: Sealer, verify: Verify = _nobody) -> None:
        self.broken = installed.broken
        self.versions = installed.versions
        self._kinds = installed.kinds
        self._verify = verify
        self._sealer = sealer
        self._partners: dict[str, tuple[str, str, Partner]] = {}

    def schemas(self) -> list[tuple[str, dict[str, Any]]]:
        """Each kind's name and the JSON Schema of its configuration, by name."""
        return [(name, kind.configuration.model_json_schema()) for name, kind in sorted(self._kinds.items())]

    async def check(self, name: str, configuration: object) -> Checked:
        """A configuration, held against its kind's model and sealed. Nothing is asked of the partner.

        Raises:
            InvalidInput: there is no such kind; or what is wrong, by the place under ``adapterConfig``. No value of
                the configuration is repeated.
            Exception: whatever the sealer raises.
        """
        kind = self._kinds.get(name)
        if kind is None:
            raise InvalidInput(adapter=name[:60])
        try:
            # By way of JSON: what is not JSON has no place in it, and the model reads it again in this way.
            model = kind.configuration.model_validate_json(msgspec.json.encode(configuration))
        except ValidationError as error:
            raise InvalidInput(**_told(error, configuration)) from None
        except (TypeError, ValueError, OverflowError, msgspec.MsgspecError, RecursionError):
            raise InvalidInput(adapterConfig="It is no JSON object.") from None
        try:
            partner = kind.connect(model)
            can = partner.capabilities
            await partner.close()
        except Exception as error:  # its text may repeat what it was given
            raise InvalidInput(adapterConfig=f"It cannot be connected with: {type(error).__name__}.") from None
        sealed = _kept(name, model, self._sealer)
        operations = tuple(sorted(one.value for one in can.operations))
        return Checked(sealed, can.scale, operations, tuple(sorted(one.value for one in can.partial)))

    def certificate(self, token: str, now: datetime) -> Examined:
        """What a certificate says of a kind that is installed.

        Raises:
            InvalidInput: it is not believed, or does not fit what is installed.
        """
        return believed(token, self._verify, self.versions, now)

    def digest(self, name: str, sealed: str, without: Iterable[str]) -> str:
        """What a certificate says of a configuration that was kept, if it was checked with this one."""
        return _digest(name, _except(msgspec.json.decode(sealed, type=Kept).configuration, without))

    def connect(self, name: str, sealed: str) -> Partner:
        """A new connection of a partner by a text that ``check`` made; the caller closes it.

        Raises:
            PartnerUnavailable: the kind is not installed any more, or the text cannot be opened or read by it.
        """
        kind = self._kinds.get(name)
        if kind is None:
            raise PartnerUnavailable(f"The adapter {name} is not installed.")
        try:
            return kind.connect(_opened(name, sealed, kind.configuration, self._sealer))
        except Exception as error:  # neither its text nor its cause: they may hold a secret
            raise PartnerUnavailable(f"The configuration cannot be used ({type(error).__name__}).") from None

    async def partner(self, currency: str, name: str, sealed: str) -> Partner:
        """The partner that keeps a currency; connected at the first asking, and anew when its configuration has
        changed. What was under way over the former connection is unknown then, and is asked again.

        Raises:
            PartnerUnavailable: as ``connect``.
        """
        before = self._partners.get(currency)
        if before is not None and before[:2] == (name, sealed):
            return before[2]
        partner = self.connect(name, sealed)
        self._partners[currency] = (name, sealed, partner)
        if before is not None:
            await before[2].close()
        return partner

    async def close(self) -> None:
        """Let go of all partners."""
        while self._partners:
            _, (_, _, partner) = self._partners.popitem()
            await partner.close()


def digest(name: str, configuration: BaseModel, without: Iterable[str]) -> str:
    """The SHA-256, in hexadecimal, of a kind's configuration without its secrets and without some of its fields."""
    rest = _without(configuration.model_dump(by_alias=True, exclude_unset=True), "", {})
    return _digest(name, _except(rest, without))


def resealed(text: str, sealer: Sealer) -> str:
    """A kept configuration with its secrets sealed anew, as by now they would be; its kind need not be installed.

    Raises:
        Exception: whatever the sealer raises.
    """
    kept = msgspec.json.decode(text, type=Kept)
    return msgspec.json.encode(Kept(kept.configuration, sealer.seal(sealer.open(kept.sealed)))).decode()


def _kept(name: str, model: BaseModel, sealer: Sealer) -> str:
    secrets: dict[str, str] = {}
    rest = _without(model.model_dump(by_alias=True, exclude_unset=True), "", secrets)
    sealed = sealer.seal(msgspec.json.encode(Secrets(_digest(name, rest), secrets)).decode())
    return msgspec.json.encode(Kept(rest, sealed)).decode()


def _opened(name: str, text: str, model: type[BaseModel], sealer: Sealer) -> BaseModel:
    kept = msgspec.json.decode(text, type=Kept)
    secrets = msgspec.json.decode(sealer.open(kept.sealed), type=Secrets)
    if secrets.rest != _digest(name, kept.configuration):
        raise ValueError("the configuration is not the one that its secrets were sealed with")
    whole = _with(kept.configuration, "", secrets.secrets)
    return model.model_validate_json(msgspec.json.encode(whole))


def _except(configuration: Mapping[str, Any], without: Iterable[str]) -> dict[str, Any]:
    left_out = frozenset(without)
    return {name: value for name, value in configuration.items() if name not in left_out}


def _digest(name: str, rest: object) -> str:
    return hashlib.sha256(_canonical((name, rest))).hexdigest()


def _without(value: Any, place: str, secrets: dict[str, str]) -> Any:
    """The value as JSON has it, with null where a secret is; secrets are put aside by their places."""
    if isinstance(value, SecretStr):
        secrets[place] = value.get_secret_value()
        return None
    if isinstance(value, dict):
        return {str(key): _without(one, _below(place, key), secrets) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_without(one, _below(place, number), secrets) for number, one in enumerate(value)]
    return _ANY.dump_python(value, mode="json")


def _with(value: Any, place: str, secrets: Mapping[str, str]) -> Any:
    if value is None:
        return secrets.get(place)
    if isinstance(value, dict):
        return {key: _with(one, _below(place, key), secrets) for key, one in value.items()}
    if isinstance(value, list):
        return [_with(one, _below(place, number), secrets) for number, one in enumerate(value)]
    return value


def _below(place: str, part: object) -> str:
    return f"{place}/{str(part).replace('~', '~0').replace('/', '~1')}"


def _told(error: ValidationError, given: object) -> dict[str, str]:
    found = error.errors(include_input=False, include_context=False, include_url=False)
    return {_place(one["loc"], given): one["msg"] for one in reversed(found[:ERRORS_MAX])}  # of a place, the first


def _place(named: tuple[int | str, ...], given: object) -> str:
    """Where in the configuration as it was given; a model's own names, of alternatives, are left out."""
    steps = ["adapterConfig"]
    for number, part in enumerate(named, 1):
        below = given[part] if isinstance(given, dict) and part in given else None
        if isinstance(given, list) and isinstance(part, int) and part < len(given):
            below = given[part]
        if below is None and number < len(named) and not (isinstance(given, dict) and part in given):
            continue
        steps.append(str(part))
        given = below
    return ".".join(steps)
