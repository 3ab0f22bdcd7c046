"""Prepaid blocks of points, what grants draw on them, and how low they are; what banks say of segregated accounts."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0031"

APPEND_ONLY = ("prepaid_step", "prepaid_draw", "prepaid_notice", "bank_file", "bank_balance")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "prepaid_block",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("credential_id", sa.BigInteger(), nullable=False),
        sa.Column("holder_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("money", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("sold_id", sa.BigInteger(), nullable=True),
        sa.Column("drawn", sa.BigInteger(), nullable=False),
        sa.Column("refunded", sa.BigInteger(), nullable=False),
        sa.Column("proposal_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("journal_id", "id"),
        postgresql_with={"fillfactor": 80},
    )
    op.create_index("prepaid_block_holder", "prepaid_block", ["holder_id", "currency", "id"], unique=False)
    op.create_index("prepaid_block_currency", "prepaid_block", ["currency", "id"], unique=False)
    op.create_table(
        "prepaid_step",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("block_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("credential_id", sa.BigInteger(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=True),
        sa.Column("movement_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("journal_id", "id"),
    )
    op.create_index("prepaid_step_block", "prepaid_step", ["block_id", "id"], unique=False)
    op.create_table(
        "prepaid_draw",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("movement_id", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("block_id", sa.BigInteger(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "movement_id", "place"),
    )
    op.create_index("prepaid_draw_block", "prepaid_draw", ["block_id", "movement_id"], unique=False)
    op.create_table(
        "prepaid_notice",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("credential_id", sa.BigInteger(), nullable=False),
        sa.Column("holder_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("threshold", sa.BigInteger(), nullable=True),
        sa.Column("low", sa.Boolean(), nullable=False),
        sa.Column("units_left", sa.BigInteger(), nullable=False),
        sa.Column("movement_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("journal_id", "id"),
    )
    op.create_index("prepaid_notice_holder", "prepaid_notice", ["holder_id", "currency", "id"], unique=False)
    op.create_table(
        "bank_file",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("credential_id", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("balances", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "id"),
        sa.UniqueConstraint("journal_id", "digest", name="bank_file_digest"),
    )
    op.create_table(
        "bank_balance",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "id"),
    )
    op.create_index("bank_balance_day", "bank_balance", ["day", "number", "currency", "id"], unique=False)
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
        )
