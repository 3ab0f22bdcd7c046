"""What every command is, and which values no command may have."""

import hashlib
from datetime import datetime, timedelta
from functools import cache
from typing import ClassVar

import msgspec

from hub.errors import InvalidInput

KEY_MAX = 200
TEXT_MAX = 2_000
CONNECTION_MAX = 65_536


class Party(msgspec.Struct, frozen=True):
    """A customer as its institution knows it."""

    institution: str
    reference: str


class Connection(msgspec.Struct, frozen=True):
    """How a currency's partner is reached, as the edge has checked it: its configuration with the secrets sealed, how
    many decimals the partner counts its points with, and what it declares that it does, and of which of these it does a
    part (``hub.partners.Operation``)."""

    sealed: str
    scale: int
    operations: tuple[str, ...] = ("CREDIT", "DEBIT", "REVERSE")
    partial: tuple[str, ...] = ()


class Command(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something that somebody asks."""

    actor: int

    keyed: ClassVar[bool] = False


class Keyed(Command, frozen=True, kw_only=True):
    """A command whose outcome is frozen under the caller's key."""

    key: str

    keyed: ClassVar[bool] = True
    # Fields that came after requests had been kept: they count only where they are not what they are by default.
    later: ClassVar[tuple[str, ...]] = ()

    def digest(self) -> bytes:
        """SHA-256 of the operation with its arguments; not of who asks or under which key. Amounts are normalised
        by whoever makes the command, so that ``1.0`` and ``1.00`` are one request."""
        fields = msgspec.structs.asdict(self)
        del fields["actor"], fields["key"]
        if self.later:
            defaults = _defaults(type(self))
            for name in self.later:
                if fields[name] == defaults[name]:
                    del fields[name]
        return hashlib.sha256(_ENCODER.encode((type(self).__name__, fields))).digest()


_ENCODER = msgspec.json.Encoder(order="sorted")


@cache
def _defaults(kind: type[Keyed]) -> dict[str, object]:
    """What a command's later fields are where nobody says anything."""
    return {one.name: one.default for one in msgspec.structs.fields(kind) if one.name in kind.later}


def malformed(command: Command) -> InvalidInput | None:
    """What is wrong with a command's texts before anything is looked up: what a database cannot hold (the character
    NUL, half a surrogate pair), or more than it should; and times that are not in UTC, which would be one instant under
    two digests."""
    return _wrong(msgspec.structs.astuple(command)) or _wrong_key(command)


def _wrong(values: tuple[object, ...]) -> InvalidInput | None:
    for value in values:
        if value is None or type(value) is int:
            continue
        if isinstance(value, str):
            if len(value) > TEXT_MAX or not is_storable(value):
                return InvalidInput(text=repr(value[:40]))
        elif isinstance(value, datetime):
            if value.utcoffset() != timedelta(0):
                return InvalidInput(time=value.isoformat())
        elif isinstance(value, Connection):
            if len(value.sealed) > CONNECTION_MAX or not is_storable(value.sealed):
                return InvalidInput(adapterConfig=f"it is malformed, or longer than {CONNECTION_MAX} characters")
        elif isinstance(value, Party):
            if len(value.reference) > KEY_MAX:
                return InvalidInput(reference=f"longer than {KEY_MAX} characters")
            if not (is_storable(value.institution) and is_storable(value.reference)):
                return InvalidInput(reference=repr(value.reference[:40]))
        elif isinstance(value, tuple | msgspec.Struct):
            inner = value if isinstance(value, tuple) else msgspec.structs.astuple(value)
            if (wrong := _wrong(inner)) is not None:
                return wrong
    return None


def _wrong_key(command: Command) -> InvalidInput | None:
    if isinstance(command, Keyed) and not 0 < len(command.key) <= KEY_MAX:
        return InvalidInput(idempotencyKey=f"1 to {KEY_MAX} characters")
    return None


def is_storable(text: str) -> bool:
    """Whether the database can hold the text: it has no NUL, and no half of a surrogate pair."""
    if "\x00" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
