"""Reconciliation: runs over a day of a partner's, the breaks that they found, and what became of these."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0011"

APPEND_ONLY = ("reconciliation", "break_step")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "reconciliation",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("credential_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "id"),
    )
    op.create_index("reconciliation_day", "reconciliation", ["currency", "day", "id"], unique=False)
    op.create_table(
        "reconciliation_break",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("scale", sa.Integer(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("figures", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("proposal_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("journal_id", "id"),
        sa.UniqueConstraint("journal_id", "currency", "day", "reference", name="reconciliation_break_reference"),
        postgresql_with={"fillfactor": 80},
    )
    op.create_index("reconciliation_break_currency", "reconciliation_break", ["currency", "id"], unique=False)
    op.create_index(
        "reconciliation_break_open",
        "reconciliation_break",
        ["id"],
        unique=False,
        postgresql_where=sa.text("status IN ('OPEN', 'PROPOSED')"),
    )
    op.create_table(
        "break_step",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("break_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("credential_id", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.Column("figures", sa.Text(), nullable=True),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("ending", sa.Text(), nullable=True),
        sa.Column("adjusted", sa.BigInteger(), nullable=True),
        sa.Column("movement_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("journal_id", "id"),
    )
    op.create_index("break_step_break", "break_step", ["break_id", "id"], unique=False)
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
        )
