"""Limits: what movements count under them, what that comes to, and which issues were clipped."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

APPEND_ONLY = ("limit_entry", "clipping")


def upgrade() -> None:
    """Make the tables; nothing was limited before."""
    op.create_table(
        "limit_entry",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("movement_id", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.SmallInteger(), nullable=False),
        sa.Column("limit_id", sa.BigInteger(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount <> 0", name="limit_entry_amount_not_zero"),
        sa.PrimaryKeyConstraint("journal_id", "movement_id", "n"),
    )
    op.create_table(
        "limit_use",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("limit_id", sa.BigInteger(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("used >= 0", name="limit_use_not_negative"),
        sa.PrimaryKeyConstraint("journal_id", "subject_id", "limit_id", "period"),
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "clipping",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("movement_id", sa.BigInteger(), nullable=False),
        sa.Column("version_id", sa.BigInteger(), nullable=False),
        sa.Column("requested", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "movement_id"),
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
        )
