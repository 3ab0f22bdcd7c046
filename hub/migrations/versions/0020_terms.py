"""Terms: by which version each act was priced that has some; and baskets, which several currencies paid for."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0030"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "act_terms",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("movement_id", sa.BigInteger(), nullable=False),
        sa.Column("terms_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "movement_id"),
    )
    op.create_index("act_terms_version", "act_terms", ["terms_id", "movement_id"], unique=False)
    op.create_table(
        "basket",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("credential_id", sa.BigInteger(), nullable=False),
        sa.Column("for_institution_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("money", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("rest", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "id"),
        sa.CheckConstraint("rest >= 0 AND rest < amount", name="basket_rest_within_amount"),
    )
    for table in ("act_terms", "basket"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
        )
