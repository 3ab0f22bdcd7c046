"""Events of acts: points issued, moved, redeemed, converted, held, lapsed and brought back. Pure."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final

from hub import ids
from hub.ledger.records import (
    ACCEPTED,
    Conversion,
    ConversionStatus,
    HoldKind,
    HoldStatus,
    Movement,
    MovementKind,
    homes_of,
)
from hub.points import render
from hub.webhooks.endpoints import EventType
from hub.webhooks.event import Data, Event, Words, money
from hub.webhooks.taken import Taken

_CONVERSIONS: Final[Mapping[ConversionStatus, EventType]] = {
    ConversionStatus.PENDING: EventType.CONVERSION_PENDING,
    ConversionStatus.COMPLETED: EventType.CONVERSION_COMPLETED,
    ConversionStatus.REFUSED: EventType.CONVERSION_REFUSED,
    ConversionStatus.REVERSED: EventType.CONVERSION_REVERSED,
    ConversionStatus.IN_DOUBT: EventType.CONVERSION_IN_DOUBT,
}
_HOLDS: Final[Mapping[HoldStatus, EventType]] = {
    HoldStatus.CAPTURED: EventType.HOLD_CAPTURED,
    HoldStatus.RELEASED: EventType.HOLD_RELEASED,
    HoldStatus.EXPIRED: EventType.HOLD_EXPIRED,
}
_ACTS: Final[Mapping[MovementKind, str]] = {
    MovementKind.ISSUE: ids.ISSUE,
    MovementKind.TRANSFER: ids.TRANSFER,
    MovementKind.REDEEM: ids.REDEMPTION,
}

_REVERSIBLE = frozenset({*_ACTS, *(kind for kind, done in ACCEPTED.items() if done in _ACTS)})


def of_movement(words: Words, taken: Taken, moved: Movement) -> Iterable[Event]:
    """What is told of a movement of one of ``KINDS``."""
    return _MAKERS[moved.kind](words, taken, moved)


def _act(type: EventType) -> Callable[[Words, Taken, Movement], Iterable[Event]]:
    def make(words: Words, _: Taken, moved: Movement) -> Iterable[Event]:
        id = ids.text(_ACTS[moved.kind], moved.id if moved.subject is None else moved.subject)
        return (_posted(type, moved, id, _told(words, id, moved)),)

    return make


def _told(words: Words, id: str, moved: Movement) -> Data:
    data: Data = {"id": id, "points": words.points(moved.amount, words.currency(moved.currency))}
    if moved.source is not None:
        data["from"] = words.party(moved.source)
    if moved.target is not None:
        data["to"] = words.party(moved.target)
    if moved.merchant is not None:
        data["merchant"] = words.code(moved.merchant)
        if moved.money is not None and moved.value is not None:
            data["value"] = money(moved.value, moved.money)
    return data


def of_waiting(
    words: Words, taken: Taken, accepted: Movement, status: str, place: int, at: datetime
) -> Iterable[Event]:
    """An act that partners have not done, or not yet."""
    kind = ACCEPTED[accepted.kind]
    if kind is MovementKind.REVERSE:
        found = _reversal(words, taken, accepted)
        if found is None:
            return ()
        subject, data = found
    else:
        subject = ids.text(_ACTS[kind], accepted.id)
        data = _told(words, subject, accepted)
    homes = tuple(dict.fromkeys(homes_of(accepted)))
    name = f"{kind.name}_{status}".replace("REDEEM", "REDEMPTION").replace("REVERSE_", "REVERSAL_")
    return (Event(EventType[name], place, at, subject, homes, data | {"status": status}),)


def _posted(type: EventType, moved: Movement, subject: str, data: Data) -> Event:
    return Event(type, moved.id, moved.at, subject, tuple(dict.fromkeys(homes_of(moved))), data)


def _converted(words: Words, taken: Taken, moved: Movement) -> Iterable[Event]:
    conversion = taken.conversions.get(moved.subject or 0)
    if conversion is None:
        return ()
    return (_conversion(words, conversion, EventType.CONVERSION_COMPLETED, moved.id, moved.at),)


def of_conversion(words: Words, conversion: Conversion, place: int, at: datetime) -> Event:
    """A conversion that a batch left in another state than completed."""
    return _conversion(words, conversion, _CONVERSIONS[conversion.status], place, at)


def _conversion(words: Words, conversion: Conversion, type: EventType, place: int, at: datetime) -> Event:
    id = ids.text(ids.CONVERSION, conversion.id)
    rate = words.configuration.rates[conversion.rate]
    source, target = (words.configuration.currencies[of] for of in (rate.source, rate.target))
    status = next(status for status, told in _CONVERSIONS.items() if told is type)
    data: Data = {
        "id": id,
        "status": status.value,
        "rate": ids.text(ids.RATE, rate.id),
        "from": words.party(conversion.source),
        "to": words.party(conversion.target),
        "source": words.points(conversion.figures.source, source),
        "target": words.points(conversion.figures.target, target),
        "bonus": words.points(conversion.figures.bonus, target),
        "fee": money(conversion.figures.fee, rate.money),
        "settlement": money(conversion.figures.settlement, rate.money),
    }
    homes = tuple(dict.fromkeys((conversion.source.institution, conversion.target.institution)))
    return Event(type, place, at, id, homes, data)


def _reversed(words: Words, taken: Taken, moved: Movement) -> Iterable[Event]:
    found = _reversal(words, taken, moved)
    return () if found is None else (_posted(EventType.REVERSAL_POSTED, moved, *found),)


def _reversal(words: Words, taken: Taken, moved: Movement) -> tuple[str, Data] | None:
    """What is reversed, and what is told of its reversal; over partners it is named by what accepted it."""
    accepted = taken.originals.get(moved.subject or 0)
    if accepted is None or accepted.kind is not MovementKind.ACCEPT_REVERSE:
        accepted = moved
    subject = accepted.subject or 0
    if subject in taken.conversions:
        of = ids.text(ids.CONVERSION, subject)
    elif subject in taken.holds:
        of = ids.text(ids.HOLD, subject)
    elif subject in taken.originals and (kind := taken.originals[subject].kind) in _REVERSIBLE:
        of = ids.text(_ACTS[ACCEPTED.get(kind, kind)], subject)
    else:
        return None
    data: Data = {
        "id": ids.text(ids.REVERSAL, accepted.id),
        "of": of,
        "points": words.points(moved.amount, words.currency(moved.currency)),
    }
    return of, data


def _hold_ended(words: Words, taken: Taken, moved: Movement) -> Iterable[Event]:
    """The end of a hold; that of a freeze is nobody's but the issuer's and the institution's, who have made it."""
    held = taken.holds.get(moved.subject or 0)
    if held is None or held.kind is not HoldKind.HOLD or held.resolved_by != moved.id:
        return ()
    of, id = words.currency(held.currency), ids.text(ids.HOLD, held.id)
    data: Data = {
        "id": id,
        "status": held.status.value,
        "customer": words.party(held.customer),
        "points": words.points(held.amount, of),
        "captured": render(held.captured, of.scale),
    }
    return (Event(_HOLDS[held.status], moved.id, moved.at, id, (held.customer.institution,), data),)


def _expired(words: Words, _: Taken, moved: Movement) -> Iterable[Event]:
    if moved.source is None:
        return ()
    party = words.party(moved.source)
    data: Data = {"customer": party, "points": words.points(moved.amount, words.currency(moved.currency))}
    return (_posted(EventType.POINTS_EXPIRED, moved, party["customer"], data),)


_MAKERS: Final[Mapping[MovementKind, Callable[[Words, Taken, Movement], Iterable[Event]]]] = {
    MovementKind.ISSUE: _act(EventType.ISSUE_POSTED),
    MovementKind.TRANSFER: _act(EventType.TRANSFER_POSTED),
    MovementKind.REDEEM: _act(EventType.REDEMPTION_POSTED),
    MovementKind.CONVERT: _converted,
    MovementKind.REVERSE: _reversed,
    MovementKind.CAPTURE: _hold_ended,
    MovementKind.RELEASE: _hold_ended,
    MovementKind.EXPIRE: _expired,
}
KINDS: Final = tuple(_MAKERS)
