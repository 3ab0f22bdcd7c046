"""Sharing: what became of fees that plans split, read back; and whose business a plan is."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import and_, or_, select

from hub import tables
from hub.access import Credential
from hub.configuration import Configuration
from hub.institutions import is_below
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import FeeShare, MovementKind
from hub.reading import Reader
from hub.shares import SharePlan
from hub.versions import VersionStatus

_POSTS = (MovementKind.CONVERT, MovementKind.REDEEM, MovementKind.CAPTURE)  # what posts a fee that may be shared


@dataclass(frozen=True, slots=True)
class SharedFee:
    """One share of a fee in ``money``."""

    share: FeeShare
    money: str


async def of_acts(reader: Reader, acts: Collection[int]) -> dict[int, list[SharedFee]]:
    """The shares of the fees of conversions and redemptions, by the act, in the order of their plans; none before the
    fee is posted. An act over partners is named by what accepted it, a conversion and a hold by themselves."""
    if not acts or not reader.configuration.share_plans:
        return {}
    share, movement = tables.fee_share, tables.movement
    named = or_(movement.c.id.in_(acts), movement.c.subject_id.in_(acts))
    found = await reader.connection.execute(
        select(share, movement.c.id, movement.c.subject_id, movement.c.money)
        .join(movement, and_(movement.c.journal_id == share.c.journal_id, movement.c.id == share.c.movement_id))
        .where(
            share.c.journal_id == JOURNAL_ID,
            movement.c.kind.in_(_POSTS),
            named,
        )
        .order_by(share.c.movement_id, share.c.place)
    )
    by_act: dict[int, list[SharedFee]] = {}
    for row in found:
        one = FeeShare(row.movement_id, row.place, row.plan_id, row.institution_id, row.amount, row.n)
        act = row.id if row.subject_id is None else row.subject_id
        by_act.setdefault(act, []).append(SharedFee(one, row.money))
    return by_act


def concerns(configuration: Configuration, asking: Credential, plan: SharePlan) -> bool:
    """Whether a plan is the caller's business: the operator's always, and an approved one of whoever it names, for
    whom it is or who gets a share by name, and of those above them."""
    if asking.sees_all:
        return True
    if plan.status is not VersionStatus.APPROVED:
        return False
    named = {plan.scope.institution, *(share.institution for share in plan.shares)} - {None}
    return any(is_below(configuration.institutions, one, asking.institution) for one in named if one is not None)
