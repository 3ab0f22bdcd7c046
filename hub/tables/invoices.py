"""Billed months, invoices and their lines."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    UniqueConstraint,
)

from hub.tables.columns import id_, journal_, metadata, text_, time_

billing = Table(
    "billing",
    metadata,
    journal_(),
    id_("id"),
    id_("credential_id"),
    text_("period"),
    text_("zone"),
    time_("starts_at"),
    time_("ends_at"),
    PrimaryKeyConstraint("journal_id", "id"),
    UniqueConstraint("journal_id", "period", name="billing_period"),
)

# Invoices and credit notes, each named by the movement that posts it.
invoice = Table(
    "invoice",
    metadata,
    journal_(),
    id_("id"),
    Column("number", Integer, nullable=False),
    id_("billing_id", nullable=True),
    id_("of_id", nullable=True),
    id_("institution_id"),
    id_("schedule_id"),
    text_("money"),
    id_("net"),
    id_("vat"),
    id_("gross"),
    PrimaryKeyConstraint("journal_id", "id"),
    UniqueConstraint("journal_id", "number", name="invoice_number"),
    UniqueConstraint("journal_id", "billing_id", "institution_id", name="invoice_once"),
    CheckConstraint("net + vat = gross", name="invoice_sum"),
    Index("invoice_institution", "institution_id", "id"),
    Index("invoice_of", "of_id"),
)

invoice_line = Table(
    "invoice_line",
    metadata,
    journal_(),
    id_("invoice_id"),
    Column("n", SmallInteger, nullable=False),
    text_("item"),
    text_("currency", nullable=True),
    id_("quantity"),
    id_("price"),
    id_("amount"),
    PrimaryKeyConstraint("journal_id", "invoice_id", "n"),
)
