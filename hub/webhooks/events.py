"""Events: what rows of the journal come to, in the words of the API. Pure.

An event is thin: identifiers, codes, a status and amounts as text. What people are called, and what was noted, stand in
tables out of which they can be erased, so none of it is in an event; whoever may know asks for it by identifier.
Invariant: an event is told to institutions that could ask the API for what it tells, and those above them.

``place`` orders all events: it is the number of what the journal appended, or for what only changed the last number of
its batch. Events of one ``subject`` are told in this order.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, Final

import msgspec

from hub import ids
from hub.acceptance.disputes import Dispute, DisputeOutcome, DisputeStatus, DisputeStep, DisputeStepKind
from hub.acceptance.reports import Acceptance
from hub.configuration import Change, Configuration
from hub.currencies import PointCurrency
from hub.ids import first_of
from hub.ledger.records import (
    ACCEPTED,
    Conversion,
    ConversionStatus,
    Customer,
    Hold,
    HoldKind,
    HoldStatus,
    Movement,
    MovementKind,
    Net,
    Obligation,
    Window,
    homes_of,
)
from hub.models import DEFAULT_MODEL
from hub.money import format_millionths
from hub.points import render
from hub.prepaid import Notice
from hub.rates import Rate
from hub.versions import VersionStatus
from hub.webhooks.breaks import Turn
from hub.webhooks.endpoints import EventType

Data = dict[str, Any]

KINDS: Final = (
    MovementKind.ISSUE,
    MovementKind.TRANSFER,
    MovementKind.REDEEM,
    MovementKind.CONVERT,
    MovementKind.REVERSE,
    MovementKind.CAPTURE,
    MovementKind.RELEASE,
    MovementKind.EXPIRE,
)

CONVERSIONS: Final[Mapping[ConversionStatus, EventType]] = {
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
_RATES: Final[Mapping[VersionStatus, EventType]] = {
    VersionStatus.APPROVED: EventType.RATE_APPROVED,
    VersionStatus.REJECTED: EventType.RATE_REJECTED,
    VersionStatus.WITHDRAWN: EventType.RATE_WITHDRAWN,
}
_ACTS: Final[Mapping[MovementKind, str]] = {
    MovementKind.ISSUE: ids.ISSUE,
    MovementKind.TRANSFER: ids.TRANSFER,
    MovementKind.REDEEM: ids.REDEMPTION,
}

_REVERSIBLE = frozenset({*_ACTS, *(kind for kind, done in ACCEPTED.items() if done in _ACTS)})


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, once for all who are told. ``homes``: whose it is; None: everybody's. ``own``: what is added for
    one institution alone."""

    type: EventType
    place: int
    at: datetime
    subject: str
    homes: tuple[int, ...] | None
    data: Data
    own: Mapping[int, Data] | None = None

    def payload(self, institution: int) -> str:
        """The body that ``institution`` is sent."""
        data = self.data if self.own is None else self.data | self.own.get(institution, {})
        return _ENCODER.encode(
            {
                "type": self.type.value,
                "timestamp": self.at,
                "subject": self.subject,
                "sequence": str(self.place),
                "data": data,
            }
        ).decode()


_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Taken:
    """What some batches hold that events are made of. ``holds``: those that their movements ended or reversed, and
    ``originals``: acts that they reversed, both by identifier; ``conversions``: by identifier, also those reversed."""

    times: Mapping[int, datetime]
    movements: Sequence[Movement]
    holds: Mapping[int, Hold]
    originals: Mapping[int, Movement]
    conversions: Mapping[int, Conversion]
    changed: Sequence[tuple[int, Conversion]]  # with the batch that left it in another state than completed
    waiting: Sequence[tuple[int, Movement, str]]  # the same of other acts over partners, and PENDING, REFUSED, IN_DOUBT
    changes: Sequence[tuple[Change, Rate]]
    closed: Sequence[tuple[int, Window]]  # with the batch
    settled: Sequence[tuple[int, Window]]
    nets: Mapping[int, Sequence[Net]]
    obligations: Mapping[int, Sequence[Obligation]]
    breaks: Sequence[Turn]
    acceptances: Sequence[Acceptance] = ()
    disputed: Sequence[tuple[DisputeStep, Dispute]] = ()
    low: Sequence[Notice] = ()


def last_of(batch: int) -> int:
    """The last identifier of a batch."""
    return first_of(batch + 1) - 1


def events(configuration: Configuration, taken: Taken) -> list[Event]:
    """The events of some batches, in the order of their places; of one place in the order of their making."""
    words = _Words(configuration)
    made: list[Event] = []
    for moved in taken.movements:
        made.extend(_of_movement(words, taken, moved))
    for batch, conversion in taken.changed:
        type = CONVERSIONS[conversion.status]
        made.append(_conversion(words, conversion, type, last_of(batch), taken.times[batch]))
    for batch, accepted, status in taken.waiting:
        made.extend(_waiting(words, taken, accepted, status, last_of(batch), taken.times[batch]))
    for change, rate in taken.changes:
        made.append(_rate(words, rate, change.version, taken.times[ids.batch_of(change.version)]))
    for type, windows in ((EventType.WINDOW_CLOSED, taken.closed), (EventType.WINDOW_SETTLED, taken.settled)):
        for batch, window in windows:
            own = _own_nets(words, taken.nets.get(window.id, ()), taken.obligations.get(window.id, ()))
            made.append(_window(words, window, type, last_of(batch), taken.times[batch], own))
    for turn in taken.breaks:
        made.append(_break(words, turn, taken.times[ids.batch_of(turn.step)]))
    made.extend(_accepted(words, one) for one in taken.acceptances)
    for step, dispute in taken.disputed:
        made.append(_disputed(words, step, dispute, taken.times[ids.batch_of(step.id)]))
    made.extend(_low(words, one, taken.times[ids.batch_of(one.id)]) for one in taken.low)
    made.sort(key=lambda event: event.place)  # stable: a window is closed before it is settled
    return made


class _Words:
    """How the API says what records hold."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration

    def code(self, institution: int) -> str:
        return self.configuration.institutions[institution].code

    def currency(self, code: str) -> PointCurrency:
        return self.configuration.currencies[self.configuration.currency_codes[code]]

    def points(self, units: int, of: PointCurrency) -> Data:
        return {"amount": render(units, of.scale), "currency": of.code}

    def party(self, customer: Customer) -> Data:
        return {"institution": self.code(customer.institution), "customer": ids.text(ids.CUSTOMER, customer.id)}


def _money(millionths: int, currency: str) -> Data:
    return {"amount": format_millionths(millionths, currency), "currency": currency}


# --- acts -------------------------------------------------------------------------------------------------------------


def _of_movement(words: _Words, taken: Taken, moved: Movement) -> Iterable[Event]:
    return _MAKERS[moved.kind](words, taken, moved)


def _act(type: EventType) -> "Callable[[_Words, Taken, Movement], Iterable[Event]]":
    def make(words: _Words, _: Taken, moved: Movement) -> Iterable[Event]:
        id = ids.text(_ACTS[moved.kind], moved.id if moved.subject is None else moved.subject)
        return (_posted(type, moved, id, _told(words, id, moved)),)

    return make


def _told(words: _Words, id: str, moved: Movement) -> Data:
    data: Data = {"id": id, "points": words.points(moved.amount, words.currency(moved.currency))}
    if moved.source is not None:
        data["from"] = words.party(moved.source)
    if moved.target is not None:
        data["to"] = words.party(moved.target)
    if moved.merchant is not None:
        data["merchant"] = words.code(moved.merchant)
        if moved.money is not None and moved.value is not None:
            data["value"] = _money(moved.value, moved.money)
    return data


def _waiting(words: _Words, taken: Taken, accepted: Movement, status: str, place: int, at: datetime) -> Iterable[Event]:
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


def _converted(words: _Words, taken: Taken, moved: Movement) -> Iterable[Event]:
    conversion = taken.conversions.get(moved.subject or 0)
    if conversion is None:
        return ()
    return (_conversion(words, conversion, EventType.CONVERSION_COMPLETED, moved.id, moved.at),)


def _conversion(words: _Words, conversion: Conversion, type: EventType, place: int, at: datetime) -> Event:
    id = ids.text(ids.CONVERSION, conversion.id)
    rate = words.configuration.rates[conversion.rate]
    source, target = (words.configuration.currencies[of] for of in (rate.source, rate.target))
    status = next(status for status, told in CONVERSIONS.items() if told is type)
    data: Data = {
        "id": id,
        "status": status.value,
        "rate": ids.text(ids.RATE, rate.id),
        "from": words.party(conversion.source),
        "to": words.party(conversion.target),
        "source": words.points(conversion.figures.source, source),
        "target": words.points(conversion.figures.target, target),
        "bonus": words.points(conversion.figures.bonus, target),
        "fee": _money(conversion.figures.fee, rate.money),
        "settlement": _money(conversion.figures.settlement, rate.money),
    }
    homes = tuple(dict.fromkeys((conversion.source.institution, conversion.target.institution)))
    return Event(type, place, at, id, homes, data)


def _reversed(words: _Words, taken: Taken, moved: Movement) -> Iterable[Event]:
    found = _reversal(words, taken, moved)
    return () if found is None else (_posted(EventType.REVERSAL_POSTED, moved, *found),)


def _reversal(words: _Words, taken: Taken, moved: Movement) -> tuple[str, Data] | None:
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


def _hold_ended(words: _Words, taken: Taken, moved: Movement) -> Iterable[Event]:
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


def _expired(words: _Words, _: Taken, moved: Movement) -> Iterable[Event]:
    if moved.source is None:
        return ()
    party = words.party(moved.source)
    data: Data = {"customer": party, "points": words.points(moved.amount, words.currency(moved.currency))}
    return (_posted(EventType.POINTS_EXPIRED, moved, party["customer"], data),)


_MAKERS: Final[Mapping[MovementKind, Callable[[_Words, Taken, Movement], Iterable[Event]]]] = {
    MovementKind.ISSUE: _act(EventType.ISSUE_POSTED),
    MovementKind.TRANSFER: _act(EventType.TRANSFER_POSTED),
    MovementKind.REDEEM: _act(EventType.REDEMPTION_POSTED),
    MovementKind.CONVERT: _converted,
    MovementKind.REVERSE: _reversed,
    MovementKind.CAPTURE: _hold_ended,
    MovementKind.RELEASE: _hold_ended,
    MovementKind.EXPIRE: _expired,
}


# --- reports --------------------------------------------------------------------------------------------------------

DISPUTES: Final[Mapping[DisputeStepKind, EventType]] = {
    DisputeStepKind.OPENED: EventType.DISPUTE_OPENED,
    DisputeStepKind.ANSWERED: EventType.DISPUTE_ANSWERED,
    DisputeStepKind.WITHDRAWN: EventType.DISPUTE_RESOLVED,
    DisputeStepKind.APPROVED: EventType.DISPUTE_RESOLVED,
}


def _accepted(words: _Words, made: Acceptance) -> Event:
    id, code = ids.text(ids.WINDOW, made.window), words.code(made.institution)
    data: Data = {
        "id": ids.text(ids.ACCEPTANCE, made.id), "window": id, "institution": code, "digest": made.digest,
        "kid": made.kid,
    }  # fmt: skip
    return Event(EventType.REPORT_ACCEPTED, made.id, made.at, id, (made.institution,), data)


def _low(words: _Words, told: Notice, at: datetime) -> Event:
    """What a holder has prepaid has come to be low. The subject is the holder: its currencies are told of in order."""
    of, id = words.currency(told.currency), ids.text(ids.INSTITUTION, told.holder)
    data: Data = {
        "institution": words.code(told.holder),
        "left": words.points(told.left, of),
        "threshold": words.points(told.threshold or 0, of),
    }
    if told.movement is not None:
        data["movement"] = ids.text(ids.ENTRY, told.movement)
    return Event(EventType.PREPAID_LOW, told.id, at, id, (told.holder,), data)


def _disputed(words: _Words, step: DisputeStep, of: Dispute, at: datetime) -> Event:
    """A dispute as that step left it; it is of both institutions of its line."""
    type, line = DISPUTES[step.kind], of.line
    ended = type is EventType.DISPUTE_RESOLVED
    outcome = DisputeOutcome.WITHDRAWN if step.kind is DisputeStepKind.WITHDRAWN else step.outcome
    opened = DisputeStatus.OPEN if step.kind is DisputeStepKind.OPENED else DisputeStatus.ANSWERED
    id = ids.text(ids.DISPUTE, of.id)
    data: Data = {
        "id": id,
        "window": ids.text(ids.WINDOW, line.window),
        "institution": words.code(of.institution),
        "line": {
            "movement": ids.text(ids.ENTRY, line.movement),
            "leg": line.leg,
            "payer": words.code(line.payer),
            "payee": words.code(line.payee),
            **_money(line.amount, line.currency),
        },
        "reason": of.reason.value,
        "status": DisputeStatus.RESOLVED.value if ended else opened.value,
    }
    if ended and outcome is not None:
        data |= {"outcome": outcome.value, "corrected": format_millionths(step.amount or 0, line.currency)}
    return Event(type, step.id, at, id, (line.payer, line.payee), data)


# --- rates, windows and breaks ----------------------------------------------------------------------------------------


def _rate(words: _Words, rate: Rate, version: int, at: datetime) -> Event:
    configuration, id = words.configuration, ids.text(ids.RATE, rate.id)
    proposed = EventType.RATE_ACCEPTED if rate.accepted_by else EventType.RATE_PROPOSED
    type = _RATES.get(rate.status, proposed)
    source, target = (configuration.currencies[of] for of in (rate.source, rate.target))
    data: Data = {
        "id": id,
        "status": rate.status.value,
        "version": rate.version,
        "source": source.code,
        "target": target.code,
        "ratio": {"numerator": str(rate.numerator), "denominator": str(rate.denominator)},
        "awaiting": [step.value for step in rate.awaiting],
        "effectiveFrom": rate.starts,
        "effectiveUntil": rate.ends,
    }
    return Event(type, version, at, id, tuple(dict.fromkeys((source.issuer, target.issuer))), data)


def _window(
    words: _Words, window: Window, type: EventType, place: int, at: datetime, own: Mapping[int, list[Data]]
) -> Event:
    id = ids.text(ids.WINDOW, window.id)
    status = "CLOSED" if type is EventType.WINDOW_CLOSED else "SETTLED"
    data: Data = {"id": id, "status": status, "model": window.model, "number": window.number, "nets": []}
    nets: dict[int, Data] = {institution: {"nets": listed} for institution, listed in own.items()}
    return Event(type, place, at, id, _window_homes(words, window, own), data, nets)


def _own_nets(words: _Words, nets: Sequence[Net], obligations: Sequence[Obligation]) -> dict[int, list[Data]]:
    """What each institution is told of a window's nets; where pairs settle, with the obligations of which one is the
    sum."""
    owed: dict[tuple[int, str], list[Data]] = {}
    for one in obligations:
        for node, other, amount in ((one.debtor, one.creditor, -one.amount), (one.creditor, one.debtor, one.amount)):
            shown = {"counterparty": words.code(other), "amount": format_millionths(amount, one.currency)}
            owed.setdefault((node, one.currency), []).append(shown)
    own: dict[int, list[Data]] = {}
    for net in nets:
        told: Data = {"currency": net.currency, "net": format_millionths(net.net, net.currency)}
        if net.exchanged:
            told["payable"] = format_millionths(net.payable, net.currency)
        if mine := owed.get((net.institution, net.currency)):
            told["obligations"] = sorted(mine, key=itemgetter("counterparty"))
        own.setdefault(net.institution, []).append(told)
    return own


def _window_homes(words: _Words, window: Window, own: Collection[int]) -> tuple[int, ...] | None:
    """Whose a window is: everybody's of the default; of another model the operator's, its members', and of those who
    have a net."""
    if window.model == DEFAULT_MODEL:
        return None
    members = (member for one in words.configuration.models[window.model] for member in one.members)
    return tuple(dict.fromkeys((words.configuration.operator.id, *members, *own)))


def _break(words: _Words, turn: Turn, at: datetime) -> Event:
    """What the partner calls the order may say whose it is, so it is not told."""
    id, of, difference = (
        ids.text(ids.BREAK, turn.broken.id),
        words.currency(turn.broken.currency),
        turn.figures.difference,
    )
    data: Data = {
        "id": id,
        "status": turn.status.value,
        "type": turn.figures.type.value,
        "currency": of.code,
        "day": turn.broken.day,
        "difference": None if difference is None else render(difference, of.scale),
    }
    type = EventType.BREAK_OPENED if turn.is_open else EventType.BREAK_ENDED
    return Event(type, turn.step, at, id, (of.issuer,), data)
