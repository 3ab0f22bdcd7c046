"""The configuration of a partner's database: where it is, and what its tables or procedures are called.

Invariant: a configuration that is accepted fits together. Names of tables and columns are words, which SQLAlchemy
quotes; everything else that an order says is bound as a value and never becomes SQL.
"""

import re
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from sqlalchemy import make_url, text
from sqlalchemy.exc import SQLAlchemyError

from adapters import parts
from adapters.parts import LookupField, Part, Points, StatusWord
from adapters.sql.values import Form, Naming
from adapters.tls import Tls
from hub.partners import ANSWER_S_MAX, Echo, Operation, Reason

OF_AN_ORDER = {"reference", "operation", "member", "amount", "unit", "of", "partnerOf", "heldUntil"}
OF_A_DAY = {"day", "start", "until"}

ColumnName = Annotated[str, Field(pattern=r"^[\w][\w$]{0,62}$")]
TableName = Annotated[str, Field(pattern=r"^[\w][\w$]{0,62}(\.[\w][\w$]{0,62})?$")]
Word = Annotated[str, Field(max_length=100)]


class ColumnField(LookupField):
    """One of the fields by which a member is found, and the column that has it."""

    column: ColumnName
    naming: Naming = Naming.TEXT


class Table(Part):
    """A table of members, and the table of orders beside it, which the partner makes and only we write to. Names are
    exactly the database's, with a schema before a dot if need be."""

    members: TableName
    member: ColumnName = Field(description="The column that names a member; no two rows have the same.")
    naming: Naming = Naming.TEXT
    balance: ColumnName
    amounts: Form = Field(default=Form.DECIMAL, description="What a balance counts: whole points, or smallest units.")
    blocked: ColumnName | None = Field(default=None, description="A truth, or 0 and 1; who is blocked neither spends.")
    orders: TableName = "points_hub_order"
    lookup: tuple[ColumnField, ...] = Field(default=(), max_length=20)


class Statement(Part):
    """One statement of SQL, with values bound where it says ``:name``."""

    sql: str = Field(min_length=1, max_length=4_000)

    @field_validator("sql")
    @classmethod
    def _is_bound(cls, sql: str) -> str:
        if re.search(r":\w+::", sql):
            raise ValueError("write CAST(:name AS type) instead of :name::type")
        return sql

    def names(self) -> set[str]:
        """The values that it asks for."""
        return set(text(self.sql).compile().params)

    def check(self, known: set[str], needed: set[str]) -> None:
        """Pass if it asks for all that is needed, and for nothing else than what there is.

        Raises:
            ValueError: it does not.
        """
        if unknown := self.names() - known:
            raise ValueError(f"there is no :{', :'.join(sorted(unknown))} here; there are {', '.join(sorted(known))}")
        if missing := needed - self.names():
            raise ValueError(f"the statement has no :{', :'.join(sorted(missing))}")


class Result(Part):
    """Which column of a result says what. ``statuses`` and ``reasons``: what the partner's words mean; another word of
    status is unknown, another reason is OTHER."""

    status: ColumnName
    statuses: dict[str, StatusWord] = Field(min_length=1)
    reason: ColumnName | None = None
    reasons: dict[str, Reason] = Field(default={})
    reference: ColumnName | None = None
    partner_reference: ColumnName | None = None
    amount: ColumnName | None = None
    unit: ColumnName | None = None
    time: ColumnName | None = None
    message: ColumnName | None = None

    def echoes(self) -> frozenset[Echo]:
        """What each result says."""
        found = {
            Echo.REFERENCE: self.reference,
            Echo.PARTNER_REFERENCE: self.partner_reference,
            Echo.AMOUNT: self.amount,
            Echo.UNIT: self.unit,
            Echo.TIME: self.time,
        }
        return frozenset(echo for echo, column in found.items() if column is not None)


class Finding(Statement):
    """The statement that finds a member, and which columns say what."""

    fields: tuple[LookupField, ...] = Field(min_length=1, max_length=20)
    member: ColumnName
    available: ColumnName | None = None
    may_spend: ColumnName | None = None
    may_earn: ColumnName | None = None


class Listing(Statement):
    """The statement that lists what was done from ``:start`` until before ``:until``, a day of the partner's zone, and
    which columns say what."""

    reference: ColumnName
    partner_reference: ColumnName | None = None
    operation: ColumnName
    operations: dict[str, Operation] = Field(min_length=1)
    member: ColumnName
    amount: ColumnName
    status: ColumnName
    statuses: dict[str, StatusWord] = Field(min_length=1)
    time: ColumnName


class Procedure(Part):
    """The partner's own statements. ``errors``: SQLSTATEs that refuse for good; after any other the order can be sent
    again, because its transaction was rolled back."""

    operations: frozenset[Operation] = Field(min_length=1)
    partial: frozenset[Operation] = Field(default=frozenset(), description="Of which a part may be asked.")
    words: dict[Operation, Word] = Field(default={}, description="The partner's words for operations.")
    amounts: Form = Field(default=Form.DECIMAL, description="Amounts are whole points, or smallest units.")
    perform: Statement
    result: Result
    status: Statement | None = Field(default=None, description="No row: the partner does not know the reference.")
    lookup: Finding | None = None
    journal: Listing | None = None
    errors: dict[Annotated[str, Field(pattern=r"^[0-9A-Z]{5}$")], Reason] = Field(default={})
    idempotent: bool = Field(default=True, description="Whether a reference that is sent again is done once.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.partial - self.operations:
            raise ValueError("partial names an operation that the partner does not do")
        self.perform.check(OF_AN_ORDER, {"reference", "operation", "member", "amount"})
        if self.status is not None:
            self.status.check(OF_AN_ORDER, {"reference"})
        if self.lookup is not None:
            self.lookup.check({field.name for field in self.lookup.fields}, set())
        if self.journal is not None:
            self.journal.check(OF_A_DAY, set())
        return self


class Configuration(Points):
    """A partner's database: a table of members, or procedures of the partner's own."""

    url: SecretStr = Field(description="Such as postgresql+asyncpg://user:password@host/database.")
    allow_plain: bool = Field(default=False, description="Let the line be without TLS: leased lines, and trials.")
    tls: Tls = Tls()
    unit: str = Field(min_length=1, max_length=40, description="The partner's word for its points.")
    table: Table | None = None
    procedure: Procedure | None = None
    zone: str = Field(default="UTC", description="Of the days of its journal, and of times that name no zone.")
    connect_s: int = Field(default=5, ge=1, le=60, description="How long is waited for a connection.")
    answers_within_s: int = Field(
        default=10, ge=1, le=ANSWER_S_MAX, description="How long is waited for an answer in all."
    )
    absent_after_s: int = Field(default=60, ge=0, le=86_400, description="How long it may not know what it was sent.")
    connections_max: int = Field(default=5, ge=1, le=100)

    @field_validator("url")
    @classmethod
    def _has_a_driver(cls, url: SecretStr) -> SecretStr:
        # Its parts may be the password, so no message repeats any, and no error is a cause.
        try:
            dialect = make_url(url.get_secret_value()).get_dialect()
            dialect.import_dbapi()
        except (SQLAlchemyError, ImportError, ValueError, AttributeError):
            raise ValueError("it is no address such as postgresql+asyncpg://…, or its driver is missing") from None
        if not dialect.is_async:
            raise ValueError("its driver waits; name one that does not, such as postgresql+asyncpg")
        return url

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, zone: str) -> str:
        return parts.zone(zone)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.table is None) == (self.procedure is None):
            raise ValueError("it has a table or procedures, not both")
        return self
