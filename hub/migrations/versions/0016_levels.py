"""Nets go from level to level: the accounts between a node and its parent, and the windows that closed before."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0014"


def upgrade() -> None:
    """Make the table, and say of windows that are closed that each institution settled with the hub itself."""
    op.create_table(
        "internal_account",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=False),
        sa.Column("institution_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "id"),
        sa.UniqueConstraint("journal_id", "parent_id", "institution_id", name="internal_account_of"),
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON internal_account"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
    )
    for name in ("apart", "gross"):
        op.add_column("position", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
        op.alter_column("position", name, server_default=None)
    op.add_column(
        "settlement_window", sa.Column("levels", sa.Boolean(), server_default=sa.text("true"), nullable=False)
    )
    op.execute("UPDATE settlement_window SET levels = false WHERE status <> 'OPEN'")
    op.alter_column("settlement_window", "levels", server_default=None)
