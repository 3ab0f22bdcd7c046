"""By which version of which plan a fee was split, and into what."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0020"


def upgrade() -> None:
    """Make the table. Fees from before were the operator's, and have no rows in it."""
    op.create_table(
        "fee_share",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("movement_id", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.SmallInteger(), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("institution_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.SmallInteger(), nullable=True),
        sa.PrimaryKeyConstraint("journal_id", "movement_id", "place"),
        sa.CheckConstraint("amount > 0", name="fee_share_amount_positive"),
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON fee_share"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
    )
