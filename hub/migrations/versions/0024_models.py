"""Windows of several models: each has its place among those of all models, and the cut-off that it was closed for.
What a participant pays in several currencies takes effect together, but in windows that are being paid."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """There was one model, so its numbers are the places."""
    op.add_column("settlement_window", sa.Column("ordinal", sa.Integer()))
    op.execute("UPDATE settlement_window SET ordinal = number")
    op.alter_column("settlement_window", "ordinal", nullable=False)
    op.create_unique_constraint("settlement_window_ordinal", "settlement_window", ["journal_id", "ordinal"])
    op.add_column("settlement_window", sa.Column("due_at", sa.DateTime(timezone=True)))
    op.add_column("settlement_window", sa.Column("together", sa.Boolean()))
    op.execute("UPDATE settlement_window SET together = status NOT IN ('SETTLING', 'SETTLED')")
    op.alter_column("settlement_window", "together", nullable=False)
