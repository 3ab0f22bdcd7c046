"""Originals: the acts that reversals reverse, as their rows stand, and how far each was reversed."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from hub import ids
from hub.audit.entries import Batch
from hub.db import driver_of
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import AccountKind, MovementKind, Phase, Piece
from hub.prepaid import Draw

_BY_ID = frozenset(
    {
        MovementKind.ISSUE,
        MovementKind.TRANSFER,
        MovementKind.REDEEM,
        MovementKind.CONTRIBUTE,
        MovementKind.CLEAR,
    }
)
_BY_SUBJECT = frozenset({MovementKind.CONVERT, MovementKind.CAPTURE})  # named by their conversion, or their hold
# Named by the movement that accepted them, where partners had to be asked, and otherwise by their own identifier.
_BY_EITHER = frozenset({MovementKind.ISSUE, MovementKind.TRANSFER, MovementKind.REDEEM})


def _listed(kinds: frozenset[MovementKind]) -> str:
    return ", ".join(str(int(kind)) for kind in sorted(kinds))


_MOVEMENTS = f"""
SELECT * FROM movement
WHERE journal_id = {JOURNAL_ID} AND id = ANY($1::bigint[]) AND kind IN ({_listed(_BY_ID)})
UNION ALL
SELECT * FROM movement
WHERE journal_id = {JOURNAL_ID} AND subject_id = ANY($1::bigint[]) AND kind IN ({_listed(_BY_SUBJECT | _BY_EITHER)})
"""
_ACCEPTED = f"""
SELECT id, subject_id FROM movement
WHERE journal_id = {JOURNAL_ID} AND id = ANY($1::bigint[]) AND kind = {int(MovementKind.ACCEPT_REVERSE)}
"""
_LEGS = f"""
SELECT l.movement_id, l.n, l.purpose, l.debit_account_id, l.credit_account_id, l.amount, a.currency, b.kind
FROM leg l LEFT JOIN account a ON a.journal_id = l.journal_id AND a.id = l.debit_account_id
LEFT JOIN account b ON b.journal_id = l.journal_id AND b.id = l.credit_account_id
WHERE l.journal_id = {JOURNAL_ID} AND l.movement_id = ANY($1::bigint[]) AND l.phase = {int(Phase.POSTED)}
ORDER BY l.movement_id, l.n
"""
_TAKEN = f"""
SELECT movement_id, n, expires_at, earned_at, origin, amount FROM lot_entry
WHERE journal_id = {JOURNAL_ID} AND movement_id = ANY($1::bigint[]) AND amount < 0 ORDER BY movement_id, n, place
"""
_REVERSED = f"""
SELECT coalesce(a.subject_id, m.subject_id) AS subject_id, sum(m.amount)::bigint AS amount FROM movement m
LEFT JOIN movement a ON a.journal_id = m.journal_id AND a.id = m.subject_id
    AND a.kind = {int(MovementKind.ACCEPT_REVERSE)}
WHERE m.journal_id = {JOURNAL_ID} AND m.kind = {int(MovementKind.REVERSE)} AND m.id < $2 AND m.subject_id IN (
    SELECT unnest($1::bigint[]) UNION ALL
    SELECT id FROM movement WHERE journal_id = {JOURNAL_ID} AND subject_id = ANY($1::bigint[])
        AND kind = {int(MovementKind.ACCEPT_REVERSE)}
)
GROUP BY 1
"""
_SHARES = f"""
SELECT movement_id, place, plan_id, institution_id, amount, n FROM fee_share
WHERE journal_id = {JOURNAL_ID} AND movement_id = ANY($1::bigint[]) ORDER BY movement_id, place
"""
_DRAWN = f"""
SELECT movement_id, place, block_id, units FROM prepaid_draw
WHERE journal_id = {JOURNAL_ID} AND movement_id = ANY($1::bigint[]) ORDER BY movement_id, place
"""
_CONVERSIONS = f"""
SELECT id, rate_id, from_customer_id, source, target, eligible FROM conversion
WHERE journal_id = {JOURNAL_ID} AND id = ANY($1::bigint[])
"""


@dataclass(slots=True)
class Original:
    """An act with its posted legs, those that ``repaid`` a debt apart. ``taken``: the lots that each leg came out of,
    by its number, in order of use; ``reversed``: what reversals took back so far."""

    movement: Any
    legs: list[Any] = field(default_factory=list)
    repaid: list[Any] = field(default_factory=list)
    taken: dict[int, list[Piece]] = field(default_factory=dict)
    conversion: Any = None
    reversed: int = 0
    shares: list[Any] = field(default_factory=list)  # what a plan made of its fee
    draws: list[Draw] = field(default_factory=list)  # out of which prepaid blocks it was drawn


async def originals(connection: AsyncConnection, batch: Batch) -> dict[int, Original]:
    """What the batch's reversals reverse, by the identifier that they name, as it was before the batch. One over
    partners names what accepted it, and that the act."""
    kinds = (MovementKind.REVERSE, MovementKind.ACCEPT_REVERSE)
    named = {row["subject_id"] for row in batch.rows.get("movement", ()) if row["kind"] in kinds} - {None}
    if not named:
        return {}
    driver = driver_of(connection)
    accepted = {row["id"]: row["subject_id"] for row in await driver.fetch(_ACCEPTED, list(named))}
    subjects = list((named - accepted.keys()) | set(accepted.values()))
    by_movement = {row["id"]: Original(row) for row in await driver.fetch(_MOVEMENTS, subjects)}
    for leg in await driver.fetch(_LEGS, list(by_movement)):
        known = by_movement[leg["movement_id"]]
        (known.repaid if leg["kind"] == AccountKind.DEBT else known.legs).append(leg)
    for movement, n, expires_at, earned_at, origin, amount in await driver.fetch(_TAKEN, list(by_movement)):
        by_movement[movement].taken.setdefault(n, []).append(Piece(expires_at, earned_at, origin, -amount))
    for row in await driver.fetch(_SHARES, list(by_movement)):
        by_movement[row["movement_id"]].shares.append(row)
    for row in await driver.fetch(_DRAWN, list(by_movement)):
        by_movement[row["movement_id"]].draws.append(Draw(*row))
    found = {_name(one.movement): one for one in by_movement.values()}
    for row in await driver.fetch(_CONVERSIONS, subjects):
        if row["id"] in found:
            found[row["id"]].conversion = row
    for row in await driver.fetch(_REVERSED, subjects, ids.first_of(batch.number)):
        if row["subject_id"] in found:
            found[row["subject_id"]].reversed = row["amount"]
    return found | {id: found[act] for id, act in accepted.items() if act in found}


def _name(moved: Any) -> int:
    """The identifier by which an act is asked for."""
    by_subject = moved["kind"] in _BY_SUBJECT or (moved["kind"] in _BY_EITHER and moved["subject_id"] is not None)
    name: int = moved["subject_id"] if by_subject else moved["id"]
    return name


def is_reversal(moved: Any) -> bool:
    """Whether a movement reverses something."""
    return bool(moved["kind"] == MovementKind.REVERSE and moved["subject_id"] is not None)
