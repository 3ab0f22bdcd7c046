"""Dispute rows: acceptances and disputes as the database has them, and what a batch must know of them. Other batches
ask nothing.
"""

from collections.abc import Collection

from sqlalchemy import ColumnElement, RowMapping, and_, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.acceptance.disputes import (
    UNENDED,
    Dispute,
    DisputeOutcome,
    DisputeReason,
    DisputeStatus,
    DisputeStep,
    DisputeStepKind,
    ReportLine,
)
from hub.acceptance.reports import Acceptance
from hub.ledger.book import Book
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.needs import Needs
from hub.ledger.records import AccountKind, Phase, Purpose
from hub.ledger.rows import with_time

_acceptance, _dispute, _step = tables.acceptance, tables.dispute, tables.dispute_step
_leg, _account = tables.leg, tables.account
_LINE = (_dispute.c.movement_id, _dispute.c.n)


async def load(connection: AsyncConnection, book: Book, needs: Needs) -> None:
    """The disputes that the batch names, and all others of their lines, with the proposals that stand; the acceptances
    and the open disputes of the reports that it speaks of, and the lines that it disputes; and what it takes to post.
    """
    named: list[ColumnElement[bool]] = [_dispute.c.id.in_(needs.disputes)] if needs.disputes else []
    if needs.disputed:
        book.disputed_lines = await lines(connection, needs.disputed)
        named.append(tuple_(*_LINE).in_(needs.disputed))
    if needs.reported:
        reports = tuple_(_dispute.c.window_id, _dispute.c.institution_id).in_(needs.reported)
        named.append(and_(reports, _dispute.c.status.in_([status.value for status in UNENDED])))
        signed = tuple_(_acceptance.c.window_id, _acceptance.c.institution_id).in_(needs.reported)
        book.acceptances = await acceptances(connection, signed)
    book.disputes = {one.id: one for one in await disputes(connection, or_(*named))}
    if needs.disputes and needs.money:
        of = {(one.line.movement, one.line.leg) for one in book.disputes.values()}
        book.disputes |= {one.id: one for one in await disputes(connection, tuple_(*_LINE).in_(of))}
    proposals = [one.proposal for one in book.disputes.values() if one.proposal is not None]
    if proposals:
        book.dispute_proposals = {step.of: step for step in await steps(connection, _step.c.id.in_(proposals))}
    for id in needs.disputes & book.disputes.keys():
        needs.institutions.update((book.disputes[id].line.payer, book.disputes[id].line.payee))


async def lines(connection: AsyncConnection, of: Collection[tuple[int, int]]) -> dict[tuple[int, int], ReportLine]:
    """Lines of reports by movement and leg; what is none is left out."""
    debit, credit = _account.alias("debit"), _account.alias("credit")
    found = await connection.execute(
        select(_leg, debit.c.owner_id.label("payer"), credit.c.owner_id.label("payee"), debit.c.currency)
        .join(debit, and_(debit.c.journal_id == _leg.c.journal_id, debit.c.id == _leg.c.debit_account_id))
        .join(credit, and_(credit.c.journal_id == _leg.c.journal_id, credit.c.id == _leg.c.credit_account_id))
        .where(
            _leg.c.journal_id == JOURNAL_ID,
            _leg.c.movement_id.in_({movement for movement, _ in of}),
            _leg.c.purpose.in_((int(Purpose.SETTLEMENT), int(Purpose.FEE))),
            _leg.c.phase == int(Phase.POSTED),
            debit.c.kind == int(AccountKind.POSITION),
        )
    )
    return {
        (row.movement_id, row.n): ReportLine(
            movement=row.movement_id,
            leg=row.n,
            window=row.window_id,
            payer=row.payer,
            payee=row.payee,
            currency=row.currency,
            amount=row.amount,
            purpose=Purpose(row.purpose),
        )
        for row in found
        if (row.movement_id, row.n) in of
    }


async def acceptances(connection: AsyncConnection, where: ColumnElement[bool]) -> list[Acceptance]:
    """Acceptances that meet a condition on their table, in order."""
    found = await connection.execute(with_time(_acceptance).where(where).order_by(_acceptance.c.id))
    return [
        Acceptance(
            id=row["id"],
            at=row["at"],
            window=row["window_id"],
            institution=row["institution_id"],
            digest=row["digest"],
            kid=row["kid"],
            jws=row["jws"],
            credential=row["credential_id"],
        )
        for row in found.mappings()
    ]


async def disputes(
    connection: AsyncConnection, where: ColumnElement[bool], *, most: int | None = None
) -> list[Dispute]:
    """Disputes that meet a condition on their table, the newest first."""
    statement = with_time(_dispute).where(where).order_by(_dispute.c.id.desc()).limit(most)
    return [_dispute_of(row) for row in (await connection.execute(statement)).mappings()]


def _dispute_of(row: RowMapping) -> Dispute:
    return Dispute(
        id=row["id"],
        at=row["at"],
        credential=row["credential_id"],
        institution=row["institution_id"],
        line=ReportLine(
            movement=row["movement_id"],
            leg=row["n"],
            window=row["window_id"],
            payer=row["payer_id"],
            payee=row["payee_id"],
            currency=row["currency"],
            amount=row["amount"],
            purpose=Purpose(row["purpose"]),
        ),
        reason=DisputeReason(row["reason"]),
        expected=row["expected"],
        status=DisputeStatus(row["status"]),
        outcome=None if row["outcome"] is None else DisputeOutcome(row["outcome"]),
        proposal=row["proposal_id"],
        corrected=row["corrected"],
    )


async def steps(connection: AsyncConnection, where: ColumnElement[bool]) -> list[DisputeStep]:
    """Steps that meet a condition on their table, in order."""
    found = await connection.execute(select(_step).where(_step.c.journal_id == JOURNAL_ID, where).order_by(_step.c.id))
    return [
        DisputeStep(
            id=row.id,
            of=row.dispute_id,
            kind=DisputeStepKind(row.kind),
            credential=row.credential_id,
            outcome=None if row.outcome is None else DisputeOutcome(row.outcome),
            amount=row.amount,
            movement=row.movement_id,
        )
        for row in found
    ]
