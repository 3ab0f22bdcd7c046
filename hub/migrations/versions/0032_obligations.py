"""Obligations: what each two participants of a window that is netted in pairs owe one another, and what was paid."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0033"

APPEND_ONLY = ("obligation", "obligation_payment")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "pair_position",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("window_id", sa.BigInteger(), nullable=False),
        sa.Column("first_id", sa.BigInteger(), nullable=False),
        sa.Column("second_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("debits", sa.BigInteger(), nullable=False),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "window_id", "first_id", "second_id", "currency"),
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "obligation",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("window_id", sa.BigInteger(), nullable=False),
        sa.Column("debtor_id", sa.BigInteger(), nullable=False),
        sa.Column("creditor_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "id"),
        sa.UniqueConstraint("journal_id", "window_id", "debtor_id", "creditor_id", "currency", name="obligation_of"),
    )
    op.create_table(
        "obligation_payment",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("obligation_id", sa.BigInteger(), nullable=False),
        sa.Column("movement_id", sa.BigInteger(), nullable=False),
        sa.Column("value_date", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "obligation_id"),
        sa.UniqueConstraint("journal_id", "movement_id", name="obligation_payment_movement"),
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
        )
