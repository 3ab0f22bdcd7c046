"""Ageing: when points end after each act that makes them. Pure.

Issued points end as they were said to, or by their currency's policy. Given points keep their lots. Converted ones get
the life of the target currency, or carry what is left of the source's where the rate says so; points that come back to
a currency in which they have been end when they would have ended there, so that no round trip renews a life.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from hub.currencies import ExpiryKind, PointCurrency
from hub.errors import PointsExpired
from hub.expiry import NEVER, day_of, end_of, start_of
from hub.ledger.lots import NO_ORIGIN, Origin, merged, origin_of, origin_text, shared, total
from hub.ledger.records import Piece
from hub.rates import Life


def issued(
    of: PointCurrency, amount: int, at: datetime, earned_at: datetime | None, expires_at: datetime | None
) -> tuple[Piece, ...]:
    """The lot of ``amount`` issued at ``at``; none for points that never end, unless their age is kept or told."""
    earned = earned_at or at
    ends = expires_at or end_of(of.expiry, of.time_zone, earned)
    day = _kept_day(of, earned, ends, told=earned_at is not None)
    if ends == NEVER and day is None:
        return ()
    return (Piece(ends, earned, origin_text(Origin(earned=day)), amount),)


def _kept_day(of: PointCurrency, earned: datetime, ends: datetime, *, told: bool = False) -> str | None:
    """The day of earning, where it keeps points apart from others that end with them: if the currency has it so; if
    they end otherwise than by its policy, because then the end does not tell when they were earned; and if they never
    end and their day was told."""
    if of.policy.keeps_age or (ends == NEVER and told) or ends != end_of(of.expiry, of.time_zone, earned):
        return day_of(earned, of.time_zone).isoformat()
    return None


def converted(
    pieces: Sequence[Piece],
    amount: int,
    target_amount: int,
    source: PointCurrency,
    target: PointCurrency,
    life: Life,
    at: datetime,
) -> tuple[Piece, ...]:
    """The lots of ``target_amount`` points of ``target`` that ``amount`` of ``source``, spent from ``pieces``, become:
    each piece its share.

    Raises:
        PointsExpired: points would come back to a currency in which they are over.
    """
    fresh = end_of(target.expiry, target.time_zone, at)
    if not pieces and fresh == NEVER and not target.policy.keeps_age and source.expiry.kind is ExpiryKind.NEVER:
        return ()
    whole = [*pieces, Piece(NEVER, at, NO_ORIGIN, amount - total(pieces))]
    parts = shared(whole, amount, target_amount)
    return merged(
        _converted(piece, part, source, target, fresh, life, at)
        for piece, part in zip(whole, parts, strict=True)
        if part
    )


def _converted(
    piece: Piece, part: int, source: PointCurrency, target: PointCurrency, fresh: datetime, life: Life, at: datetime
) -> Piece:
    origin = origin_of(piece.origin)
    was = dict(origin.was)
    if piece.expires_at != NEVER or source.expiry.kind is not ExpiryKind.NEVER:
        was[source.code] = piece.expires_at
    back = was.pop(target.code, None)
    if back is not None:
        if back <= at:
            raise PointsExpired(currency=target.code, expiresAt=back.isoformat())
        ends, earned = back, piece.earned_at
    elif life is Life.CARRIED and piece.expires_at != NEVER:
        ends, earned = piece.expires_at, piece.earned_at
    else:
        ends, earned = fresh, at
    return Piece(ends, earned, origin_text(Origin(was=was, earned=_kept_day(target, earned, ends))), part)


def returned(pieces: Sequence[Piece], of: PointCurrency, at: datetime) -> tuple[Piece, ...]:
    """Pieces that go back where they came from, with the ends that they had; those that have ended meanwhile stay for
    the policy's days of grace, if it has any, counted like a validity from today."""
    if not of.policy.grace_days:
        return tuple(pieces)
    grace = start_of(day_of(at, of.time_zone) + timedelta(days=of.policy.grace_days + 1), of.time_zone)
    return merged(
        piece if piece.expires_at > at else msgspec.structs.replace(piece, expires_at=grace) for piece in pieces
    )
