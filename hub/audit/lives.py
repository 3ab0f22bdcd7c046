"""Lives: the points that an act gives end as those that it took, or as the terms in force have it.

A gift keeps its ends, whichever of the taker's accounts it goes into; converted points end by the target's policy, or
as the rate carries or they were before; what comes back ends as it did, or after the days of grace. So nothing that is
done with points makes them live longer.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from hub.audit.act import Act, sums
from hub.audit.findings import Findings
from hub.currencies import HOSTED, ExpiryKind, PointCurrency
from hub.expiry import NEVER, day_of, end_of, start_of
from hub.ledger.lots import NO_ORIGIN, Origin, merged, origin_of, origin_text, total
from hub.ledger.records import MovementKind, Piece, Purpose
from hub.points import share
from hub.rates import Life

Was = tuple[tuple[str, datetime], ...]  # the currencies that points were before, and when they would have ended there


def check(act: Act, findings: Findings) -> None:
    """Compare the lots that an act gives with those that it takes and with the terms in force."""
    rules = _OVER_PARTNERS if act.over_partners else _RULES
    as_due = rules.get(act.moved["kind"])
    if as_due is None or act.at is None:
        return
    try:
        fits = as_due(act, act.at)
    except msgspec.DecodeError:
        findings.add("LOT_ENTRY", f"{act.name} has a lot whose origin is none.")
        return
    if not fits:
        findings.add("LOT_LIFE", f"{act.name} gives points another life than they are due.")


def _issued(act: Act, at: datetime) -> bool:
    """One lot as the act was told, or as the policy had it; none for points that never end and whose age is nothing."""
    moved, of = act.moved, act.configuration.currency(act.moved["currency"])
    given, earned = act.given(), moved["earned_at"]
    if of is None or earned is None:
        return False
    ends, ends_by_policy = moved["expires_at"] or NEVER, end_of(of.expiry, of.time_zone, earned)
    if ends == NEVER and not given:
        return ends_by_policy == NEVER and not of.policy.keeps_age and earned == at
    if len(given) != 1:
        return False
    [first] = given
    found = origin_of(first.origin)
    # Their day keeps points apart whose end does not tell it; points that never end need none where they are in a part.
    is_plain = ends == NEVER and (found.earned is not None or found.part is None or earned != at)
    by_day = of.policy.keeps_age or ends != ends_by_policy or is_plain
    origin = Origin(earned=day_of(earned, of.time_zone).isoformat() if by_day else None, part=found.part)
    stated = (first.expires_at, first.earned_at, first.amount, found)
    return stated == (ends, earned, moved["amount"], origin)


def _kept(act: Act, at: datetime) -> bool:
    """What goes to another customer keeps its ends, all of it in one part, put into a pool with its giver; what is
    burned gives nothing."""
    given = act.given()
    if act.moved["to_customer_id"] is None:
        return not given
    parts = _parts(given)
    if len(parts) > 1:
        return False
    part = next(iter(parts), None)
    giver = act.moved["from_customer_id"] if act.moved["kind"] == MovementKind.CONTRIBUTE else None
    taken = act.taken()
    whole = [*taken, Piece(NEVER, at, NO_ORIGIN, act.moved["amount"] - total(taken))]
    return given == list(merged(_labelled(piece, part, giver) for piece in whole))


def _parts(pieces: Iterable[Piece]) -> set[str | None]:
    return {origin_of(piece.origin).part for piece in pieces}


def _labelled(piece: Piece, part: str | None, giver: int | None) -> Piece:
    origin = msgspec.structs.replace(origin_of(piece.origin), part=part, giver=giver)
    return msgspec.structs.replace(piece, origin=origin_text(origin))


def _nothing(act: Act, _at: datetime) -> bool:
    return not act.given()


def _expired(act: Act, at: datetime) -> bool:
    """Only what is over, and all of it out of lots."""
    taken = act.taken()
    return not act.given() and total(taken) == act.moved["amount"] and all(one.expires_at <= at for one in taken)


def _converted(act: Act, at: datetime) -> bool:
    """Each piece that is taken becomes its share, by cumulative shares rounded down, with the end that it is due."""
    made, currencies = act.conversion, act.configuration.currencies
    rate = None if made is None else act.configuration.rates.get(made["rate_id"])
    if rate is None or made["source"] <= 0 or not {rate.source, rate.target} <= currencies.keys():
        return True  # which is a finding of its own
    source, target = currencies[rate.source], currencies[rate.target]
    taken, given = act.taken(), act.given()
    if target.adapter != HOSTED:
        return not given  # how long they live there is the partner's affair
    pieces = [*taken, Piece(NEVER, at, NO_ORIGIN, made["source"] - total(taken))]
    fresh, due = end_of(target.expiry, target.time_zone, at), Counter[tuple[datetime, Was]]()
    passed = credited = 0
    for piece in pieces:
        passed += piece.amount
        part = share(passed, made["source"], made["target"]) - credited
        credited += part
        was = dict(origin_of(piece.origin).was)
        if piece.expires_at != NEVER or source.expiry.kind is not ExpiryKind.NEVER:
            was[source.code] = piece.expires_at
        back = was.pop(target.code, None)
        carried = rate.life is Life.CARRIED and piece.expires_at != NEVER
        due[back or (piece.expires_at if carried else fresh), _was(was)] += part
    actual = Counter[tuple[datetime, Was]]()
    for piece in given:
        actual[piece.expires_at, _was(origin_of(piece.origin).was)] += piece.amount
    actual[NEVER, ()] += made["target"] - total(given)
    return +actual == +due and len(_parts(given)) <= 1 and (not target.policy.keeps_age or _keep_age(given))


def _keep_age(given: Iterable[Piece]) -> bool:
    """Whether all say when they were earned."""
    return all(origin_of(piece.origin).earned is not None for piece in given)


def _was(was: dict[str, datetime]) -> Was:
    return tuple(sorted(was.items()))


def _returned(act: Act, at: datetime) -> bool:
    """Each leg gives back to the lots that its original came out of, what was used last first, in its share."""
    known = act.original
    if known is None or not known.movement["amount"]:
        return True  # which is a finding of its own
    whole, numbers = known.movement["amount"], iter([leg[1] for leg in act.plain])
    for leg in known.legs:
        before, after = share(act.before, whole, leg["amount"]), share(act.after, whole, leg["amount"])
        if before == after:
            continue
        n = next(numbers, -1)
        if leg["purpose"] == Purpose.POINTS:
            pieces = _between(known.taken.get(leg["n"], []), leg["amount"], before, after)
            of = act.configuration.currency(leg["currency"] or "")
            if +sums(act.given(n)) != +sums(_graced(pieces, of, at)):
                return False
    return True


def _came_back(act: Act, at: datetime) -> bool:
    """The same where partners were asked: points that the hub keeps itself come back to their lots, and no others."""
    known = act.original
    if known is None or not known.movement["amount"]:
        return True
    whole, due = known.movement["amount"], Counter[tuple[datetime, str]]()
    for leg in known.legs:
        before, after = share(act.before, whole, leg["amount"]), share(act.after, whole, leg["amount"])
        pieces = _between(known.taken.get(leg["n"], []), leg["amount"], before, after)
        due += sums(_graced(pieces, act.configuration.currency(leg["currency"] or ""), at))
    return +sums(act.given()) == +due


def _between(pieces: Sequence[Piece], whole: int, before: int, after: int) -> list[Piece]:
    """Units ``before`` to ``after`` of a leg of ``whole``, counted from its end."""
    sooner, later = _last(pieces, whole, before), _last(pieces, whole, after)
    return [
        msgspec.structs.replace(piece, amount=upto - was)
        for piece, was, upto in zip(pieces, sooner, later, strict=True)
    ]


def _last(pieces: Sequence[Piece], whole: int, units: int) -> list[int]:
    """How much of each piece is in the last ``units`` of a leg of ``whole``, where what has no lot comes last."""
    after = whole - total(pieces)
    found = []
    for piece in reversed(pieces):
        found.append(max(0, min(piece.amount, units - after)))
        after += piece.amount
    return found[::-1]


def _graced(pieces: Iterable[Piece], of: PointCurrency | None, at: datetime) -> Iterable[Piece]:
    """Pieces as they come back: those that have ended stay for the days of grace, if there are any."""
    if of is None or not of.policy.grace_days:
        return pieces
    grace = start_of(day_of(at, of.time_zone) + timedelta(days=of.policy.grace_days + 1), of.time_zone)
    return [piece if piece.expires_at > at else msgspec.structs.replace(piece, expires_at=grace) for piece in pieces]


_RULES: dict[int, Callable[[Act, datetime], bool]] = {
    MovementKind.ISSUE: _issued,
    MovementKind.TRANSFER: _kept,
    MovementKind.REDEEM: _nothing,
    MovementKind.CONVERT: _converted,
    MovementKind.REVERSE: _returned,
    MovementKind.HOLD: _nothing,
    MovementKind.CAPTURE: _kept,
    MovementKind.RELEASE: _nothing,
    MovementKind.EXPIRE: _expired,
    MovementKind.FREEZE: _nothing,
    MovementKind.REMOVE: _nothing,
    MovementKind.CLEAR: _nothing,
    MovementKind.CONTRIBUTE: _kept,
    MovementKind.WITHDRAW: _kept,
}
_OVER_PARTNERS: dict[int, Callable[[Act, datetime], bool]] = {
    **dict.fromkeys(MovementKind, _nothing),  # partners have no lots
    MovementKind.CONVERT: _converted,
    MovementKind.REVERSE: _came_back,
}
