"""Events of the scheme: rates, windows, breaks, reports with their disputes, and what is prepaid. Pure."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Final

from hub import ids
from hub.acceptance.disputes import Dispute, DisputeOutcome, DisputeStatus, DisputeStep, DisputeStepKind
from hub.acceptance.reports import Acceptance
from hub.ledger.records import Net, Obligation, Window
from hub.models import DEFAULT_MODEL
from hub.money import format_millionths
from hub.points import render
from hub.prepaid import Notice
from hub.rates import Rate
from hub.versions import VersionStatus
from hub.webhooks.breaks import Turn
from hub.webhooks.endpoints import EventType
from hub.webhooks.event import Data, Event, Words, money

_RATES: Final[Mapping[VersionStatus, EventType]] = {
    VersionStatus.APPROVED: EventType.RATE_APPROVED,
    VersionStatus.REJECTED: EventType.RATE_REJECTED,
    VersionStatus.WITHDRAWN: EventType.RATE_WITHDRAWN,
}
DISPUTES: Final[Mapping[DisputeStepKind, EventType]] = {
    DisputeStepKind.OPENED: EventType.DISPUTE_OPENED,
    DisputeStepKind.ANSWERED: EventType.DISPUTE_ANSWERED,
    DisputeStepKind.WITHDRAWN: EventType.DISPUTE_RESOLVED,
    DisputeStepKind.APPROVED: EventType.DISPUTE_RESOLVED,
}


def of_acceptance(words: Words, made: Acceptance) -> Event:
    """An institution has accepted its report."""
    id, code = ids.text(ids.WINDOW, made.window), words.code(made.institution)
    data: Data = {
        "id": ids.text(ids.ACCEPTANCE, made.id), "window": id, "institution": code, "digest": made.digest,
        "kid": made.kid,
    }  # fmt: skip
    return Event(EventType.REPORT_ACCEPTED, made.id, made.at, id, (made.institution,), data)


def of_notice(words: Words, told: Notice, at: datetime) -> Event:
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


def of_dispute(words: Words, step: DisputeStep, of: Dispute, at: datetime) -> Event:
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
            **money(line.amount, line.currency),
        },
        "reason": of.reason.value,
        "status": DisputeStatus.RESOLVED.value if ended else opened.value,
    }
    if ended and outcome is not None:
        data |= {"outcome": outcome.value, "corrected": format_millionths(step.amount or 0, line.currency)}
    return Event(type, step.id, at, id, (line.payer, line.payee), data)


def of_rate(words: Words, rate: Rate, version: int, at: datetime) -> Event:
    """A version of a rate as a change of the configuration left it."""
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


def of_window(
    words: Words, window: Window, type: EventType, place: int, at: datetime, own: Mapping[int, list[Data]]
) -> Event:
    """A window has closed, or is settled; each institution is told its ``own`` nets."""
    id = ids.text(ids.WINDOW, window.id)
    status = "CLOSED" if type is EventType.WINDOW_CLOSED else "SETTLED"
    data: Data = {"id": id, "status": status, "model": window.model, "number": window.number, "nets": []}
    nets: dict[int, Data] = {institution: {"nets": listed} for institution, listed in own.items()}
    return Event(type, place, at, id, _window_homes(words, window, own), data, nets)


def own_nets(words: Words, nets: Sequence[Net], obligations: Sequence[Obligation]) -> dict[int, list[Data]]:
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


def _window_homes(words: Words, window: Window, own: Collection[int]) -> tuple[int, ...] | None:
    """Whose a window is: everybody's of the default; of another model the operator's, its members', and of those who
    have a net."""
    if window.model == DEFAULT_MODEL:
        return None
    members = (member for one in words.configuration.models[window.model] for member in one.members)
    return tuple(dict.fromkeys((words.configuration.operator.id, *members, *own)))


def of_break(words: Words, turn: Turn, at: datetime) -> Event:
    """A break was opened or ended. What the partner calls the order may say whose it is, so it is not told."""
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
