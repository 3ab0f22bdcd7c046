"""Over which channel an act came and of which product it was."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0016"


def upgrade() -> None:
    """Make the table. Of acts that there are, nothing is known that their parts do not tell."""
    op.create_table(
        "act_label",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("act_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("product", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("journal_id", "act_id"),
        sa.CheckConstraint("channel IS NOT NULL OR product IS NOT NULL", name="act_label_something"),
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON act_label"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
    )
