"""The partner's own statements: a call of its procedure for an order, and what the columns of its results mean.

Each is one statement with bound values, in a transaction of its own. What its result does not say clearly is unknown.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Date, DateTime, String, TextClause, bindparam, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.parts import LookupField
from adapters.sql.configuration import Procedure, Result, Statement
from adapters.sql.line import Told, code_of
from adapters.sql.values import Misfit, columns, instant, no, word
from hub.partners import Answer, Entry, Member, Operation, Order, Reason, Status


class Procedures:
    """What an order is to these procedures."""

    def __init__(self, told: Procedure, unit: str, scale: int, zone: ZoneInfo) -> None:
        self._told, self._unit, self._scale, self._zone = told, unit, scale, zone
        self.operations = told.operations
        self.partial = told.partial
        self.echoes = told.result.echoes()
        self.tells_status = told.status is not None
        self.lists = told.journal is not None
        self.idempotent = told.idempotent
        self.fields: tuple[LookupField, ...] = () if told.lookup is None else told.lookup.fields

    async def perform(self, connection: AsyncConnection, order: Order, units: int) -> Answer:
        """Call the procedure. The caller commits.

        Raises:
            Told: it raised an error that refuses; roll back.
        """
        try:
            rows = await self._rows(connection, self._told.perform, self._values(order, units))
        except DBAPIError as error:
            code = code_of(error)
            reason = self._told.errors.get(code or "")
            if reason is None:
                raise
            raise Told(Answer(status=Status.REFUSED, reason=reason, code=code)) from error
        return self._understood(rows)

    async def status(self, connection: AsyncConnection, order: Order, units: int) -> Answer:
        """What the partner says of an order."""
        if self._told.status is None:
            return Answer(status=Status.UNKNOWN, message="It cannot be asked.")
        rows = await self._rows(connection, self._told.status, self._values(order, units))
        return self._understood(rows) if rows else Answer(status=Status.ABSENT)

    async def find(self, connection: AsyncConnection, fields: Mapping[str, str]) -> Member | None:
        """The only member that the partner finds, or None."""
        finding = self._told.lookup
        if finding is None or any("\0" in value for value in fields.values()):
            return None
        bound = {field.name: (fields.get(field.name), String()) for field in finding.fields}
        rows = await self._rows(connection, finding, bound)
        if len(rows) != 1:
            return None
        [row] = rows
        available, may_spend, may_earn = (
            None if column is None else _at(row, column)
            for column in (finding.available, finding.may_spend, finding.may_earn)
        )
        reference = word(_at(row, finding.member))
        if not reference:
            raise Misfit("The member that was found has no name.")
        return Member(
            reference=reference,
            available=None if available is None else max(0, self._told.amounts.units(available, self._scale)),
            may_spend=finding.may_spend is None or _yes(may_spend),
            may_earn=finding.may_earn is None or _yes(may_earn),
        )

    def day(self, start: datetime, until: datetime) -> tuple[TextClause, dict[str, Any]]:
        """The statement that lists a day, and its values."""
        if self._told.journal is None:
            raise Misfit("It lists nothing.")
        bound = {
            "day": (start.date(), Date()),
            "start": (start, DateTime(timezone=True)),
            "until": (until, DateTime(timezone=True)),
        }
        return _bound(self._told.journal, bound)

    def entry(self, row: Mapping[str, Any]) -> Entry:
        """A line of the day."""
        form = self._told.journal
        if form is None:
            raise Misfit("It lists nothing.")
        operation, member = form.operations.get(word(_at(row, form.operation)) or ""), word(_at(row, form.member))
        if operation is None or member is None:
            raise Misfit("An entry of the journal names no operation or no member.")
        return Entry(
            reference=word(_at(row, form.reference)),
            partner_reference=None if form.partner_reference is None else word(_at(row, form.partner_reference)),
            operation=operation,
            member=member,
            amount=self._told.amounts.units(_at(row, form.amount), self._scale),
            unit=self._unit,
            status=Status(form.statuses.get(word(_at(row, form.status)) or "", "UNKNOWN")),
            at=instant(_at(row, form.time), self._zone),
        )

    def _values(self, order: Order, units: int) -> dict[str, Any]:
        amounts = self._told.amounts
        return {
            "reference": (order.reference, String()),
            "operation": (self._told.words.get(order.operation, order.operation.value), String()),
            "member": (order.member, String()),
            "amount": (amounts.bound(units, self._scale), amounts.type(self._scale)),
            "unit": (self._unit, String()),
            "of": (order.of, String()),
            "partnerOf": (order.partner_of, String()),
            "heldUntil": (order.held_until if order.operation is Operation.HOLD else None, DateTime(timezone=True)),
        }

    async def _rows(
        self, connection: AsyncConnection, statement: Statement, bound: Mapping[str, Any]
    ) -> Sequence[Mapping[str, Any]]:
        """Up to two rows: one is an answer, and two are none."""
        clause, values = _bound(statement, bound)
        found = await connection.execute(clause, values)
        return [columns(row) for row in found.mappings().fetchmany(2)]

    def _understood(self, rows: Sequence[Mapping[str, Any]]) -> Answer:
        """What a result says; its amount is in smallest units of the partner's scale. It is committed all the same:
        the procedure may have done it."""
        if len(rows) != 1:
            return Answer(status=Status.UNKNOWN, message=f"It answers with {'no row' if not rows else 'several rows'}.")
        try:
            return self._answer(self._told.result, rows[0])
        except Misfit as error:
            return Answer(status=Status.UNKNOWN, message=str(error))

    def _answer(self, form: Result, row: Mapping[str, Any]) -> Answer:
        def told(column: str | None) -> Any:
            return None if column is None else _at(row, column)

        amount, at = told(form.amount), told(form.time)
        answer = Answer(
            status=Status(form.statuses.get(word(told(form.status)) or "", "UNKNOWN")),
            reference=word(told(form.reference)),
            partner_reference=word(told(form.partner_reference)),
            amount=None if amount is None else self._told.amounts.units(amount, self._scale),
            unit=word(told(form.unit)),
            at=None if at is None else instant(at, self._zone),
            code=word(told(form.reason)),
            message=word(told(form.message)),
        )
        if answer.status is not Status.REFUSED:
            return answer
        return msgspec.structs.replace(answer, reason=form.reasons.get(answer.code or "", Reason.OTHER))


def _bound(statement: Statement, values: Mapping[str, Any]) -> tuple[TextClause, dict[str, Any]]:
    """The statement, and those of the values that it asks for, each with its type."""
    named = statement.names()
    clause = text(statement.sql).bindparams(*(bindparam(name, type_=values[name][1]) for name in sorted(named)))
    return clause, {name: values[name][0] for name in named}


def _at(row: Mapping[str, Any], column: str) -> Any:
    if column not in row:
        raise Misfit(f"The result has no column {column}, or several.")
    return row[column]


def _yes(found: object) -> bool:
    return type(found) in (bool, int) and not no(found)
