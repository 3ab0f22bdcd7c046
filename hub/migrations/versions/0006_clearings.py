"""Clearings of points, and notices of points that will end."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add clearings and expiry notices."""
    op.create_table(
        "clearing",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("credential_id", sa.BigInteger(), nullable=False),
        sa.Column("for_institution_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("earned_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reached", sa.BigInteger(), nullable=False),
        sa.Column("accounts", sa.BigInteger(), nullable=False),
        sa.Column("cleared", sa.BigInteger(), nullable=False),
        sa.Column("pinned", sa.BigInteger(), nullable=False),
        sa.Column("ageless", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("journal_id", "id"),
        postgresql_with={"fillfactor": 80},
    )
    op.create_index(
        "clearing_running", "clearing", ["starts_at"], unique=False, postgresql_where=sa.text("status = 'RUNNING'")
    )
    op.create_index("clearing_currency", "clearing", ["currency", "id"], unique=False)
    op.create_table(
        "expiry_notice",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("noticed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "account_id", "expires_at"),
    )
    op.create_index(
        "expiry_notice_currency",
        "expiry_notice",
        ["currency", "noticed_at", "account_id", "expires_at"],
        unique=False,
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON expiry_notice"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
    )
