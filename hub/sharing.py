"""Sharing: what became of fees that plans split, read back; and whose business a plan is."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import and_, select

from hub import tables
from hub.access import Credential
from hub.configuration import Configuration
from hub.institutions import is_below
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import FeeShare, MovementKind
from hub.reading import Reader
from hub.shares import SharePlan
from hub.versions import VersionStatus


@dataclass(frozen=True, slots=True)
class SharedFee:
    """One share of a fee in ``money``."""

    share: FeeShare
    money: str


async def of_conversions(reader: Reader, conversions: Collection[int]) -> dict[int, list[SharedFee]]:
    """The shares of conversions' fees, by conversion, in the order of their plans; none before the fee is posted."""
    if not conversions or not reader.configuration.share_plans:
        return {}
    share, movement = tables.fee_share, tables.movement
    found = await reader.connection.execute(
        select(share, movement.c.subject_id, movement.c.money)
        .join(movement, and_(movement.c.journal_id == share.c.journal_id, movement.c.id == share.c.movement_id))
        .where(
            share.c.journal_id == JOURNAL_ID,
            movement.c.subject_id.in_(conversions),
            movement.c.kind == MovementKind.CONVERT,
        )
        .order_by(share.c.movement_id, share.c.place)
    )
    by_conversion: dict[int, list[SharedFee]] = {}
    for row in found:
        one = FeeShare(row.movement_id, row.place, row.plan_id, row.institution_id, row.amount, row.n)
        by_conversion.setdefault(row.subject_id, []).append(SharedFee(one, row.money))
    return by_conversion


def concerns(configuration: Configuration, asking: Credential, plan: SharePlan) -> bool:
    """Whether a plan is the caller's business: the operator's always, and an approved one of whoever it names, for
    whom it is or who gets a share by name, and of those above them."""
    if asking.sees_all:
        return True
    if plan.status is not VersionStatus.APPROVED:
        return False
    named = {plan.scope.institution, *(share.institution for share in plan.shares)} - {None}
    return any(is_below(configuration.institutions, one, asking.institution) for one in named if one is not None)
