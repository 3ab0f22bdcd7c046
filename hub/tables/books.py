"""The books: what banks said that segregated accounts held at the end of a day."""

from sqlalchemy import Column, Index, Integer, PrimaryKeyConstraint, Table, UniqueConstraint

from hub.tables.columns import id_, journal_, metadata, text_

# Files of statements that were taken, each once.
bank_file = Table(
    "bank_file",
    metadata,
    journal_(),
    id_("id"),
    id_("credential_id"),
    text_("digest"),
    Column("balances", Integer, nullable=False),
    PrimaryKeyConstraint("journal_id", "id"),
    UniqueConstraint("journal_id", "digest", name="bank_file_digest"),
)

# Of an account and a day the one that was taken last counts.
bank_balance = Table(
    "bank_balance",
    metadata,
    journal_(),
    id_("id"),
    id_("file_id"),
    text_("number"),
    text_("currency"),
    text_("day"),
    id_("amount"),
    text_("statement"),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("bank_balance_day", "day", "number", "currency", "id"),
)
