"""Months that were billed, and the invoices and credit notes of them."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def _id(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _journal() -> sa.Column[int]:
    return sa.Column("journal_id", sa.Integer(), nullable=False)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def upgrade() -> None:
    """Make the tables."""

    op.create_table(
        "billing",
        _journal(),
        _id("id"),
        _id("credential_id"),
        _text("period"),
        _text("zone"),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "id"),
        sa.UniqueConstraint("journal_id", "period", name="billing_period"),
    )
    op.create_table(
        "invoice",
        _journal(),
        _id("id"),
        sa.Column("number", sa.Integer(), nullable=False),
        _id("billing_id", nullable=True),
        _id("of_id", nullable=True),
        _id("institution_id"),
        _id("schedule_id"),
        _text("money"),
        _id("net"),
        _id("vat"),
        _id("gross"),
        sa.PrimaryKeyConstraint("journal_id", "id"),
        sa.UniqueConstraint("journal_id", "number", name="invoice_number"),
        sa.UniqueConstraint("journal_id", "billing_id", "institution_id", name="invoice_once"),
        sa.CheckConstraint("net + vat = gross", name="invoice_sum"),
    )
    op.create_index("invoice_institution", "invoice", ["institution_id", "id"])
    op.create_index("invoice_of", "invoice", ["of_id"])
    op.create_table(
        "invoice_line",
        _journal(),
        _id("invoice_id"),
        sa.Column("n", sa.SmallInteger(), nullable=False),
        _text("item"),
        _text("currency", nullable=True),
        _id("quantity"),
        _id("price"),
        _id("amount"),
        sa.PrimaryKeyConstraint("journal_id", "invoice_id", "n"),
    )
    for table in ("billing", "invoice", "invoice_line"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
        )
