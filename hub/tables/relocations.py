"""Relocations: balances on their way to another keeper."""

from sqlalchemy import Boolean, CheckConstraint, Column, Index, Integer, PrimaryKeyConstraint, Table, UniqueConstraint

from hub.tables.columns import id_, journal_, metadata, text_, time_

# A currency's balances on their way to another keeper. ``digest`` is of the file that was compared, if it was one.
relocation = Table(
    "relocation",
    metadata,
    journal_(),
    id_("id"),
    id_("credential_id"),
    id_("for_institution_id"),
    text_("currency"),
    text_("leaves"),
    text_("adapter"),
    text_("connection"),
    time_("starts_at"),
    text_("reason"),
    text_("status"),
    id_("approved_by", nullable=True),
    Column("round", Integer, nullable=False),
    id_("reached"),
    id_("customers"),
    id_("ours"),
    id_("theirs"),
    id_("differing"),
    id_("more"),
    id_("less"),
    text_("digest", nullable=True),
    id_("accepted_by", nullable=True),
    Column("accepted", Boolean, nullable=False),
    id_("moved"),
    time_("ended_at", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("relocation_currency", "currency", "id"),
    postgresql_with={"fillfactor": 70},
)

relocation_step = Table(
    "relocation_step",
    metadata,
    journal_(),
    id_("id"),
    id_("relocation_id"),
    text_("act"),
    id_("credential_id"),
    Column("round", Integer, nullable=False),
    id_("customers"),
    id_("ours"),
    id_("theirs"),
    id_("differing"),
    text_("digest", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("relocation_step_relocation", "relocation_id", "id"),
)

# What the hub and the partner had of each customer's points. ``lots``: of the partner's, as JSON, if it told them.
opening_balance = Table(
    "opening_balance",
    metadata,
    journal_(),
    id_("id"),
    id_("relocation_id"),
    Column("round", Integer, nullable=False),
    id_("customer_id"),
    id_("ours"),
    id_("theirs"),
    text_("lots", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    UniqueConstraint("journal_id", "relocation_id", "round", "customer_id", name="opening_balance_customer"),
    CheckConstraint("ours >= 0 AND theirs >= 0", name="opening_balance_not_negative"),
)
