"""From which batch on points that end are in lots: what was issued before has none, and keeps no end."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Record it for a journal that has a history: the first batch that put points into a lot or, as long as none did,
    the next one. The journal of a new hub keeps lots from its beginning, and has no row."""
    op.create_table(
        "lots_since",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id"),
    )
    op.execute(
        """
        INSERT INTO lots_since
        SELECT h.journal_id, coalesce(
            (SELECT min(e.movement_id) >> 20 FROM lot_entry e WHERE e.journal_id = h.journal_id), h.batch + 1
        )
        FROM journal_head h
        """
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON lots_since"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
    )
