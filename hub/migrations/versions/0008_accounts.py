"""Profiles of customers, which decide into which of their accounts points go; and pools."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add profiles, pools and their members."""
    op.create_table(
        "customer_profile",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("groups", sa.Text(), nullable=False),
        sa.Column("credential_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "id"),
    )
    op.create_index("customer_profile_customer", "customer_profile", ["customer_id", "id"], unique=False)
    op.create_table(
        "pool",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("credential_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "id"),
    )
    op.create_table(
        "pool_member",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("pool_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("rights", sa.Text(), nullable=True),
        sa.Column("credential_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "id"),
    )
    op.create_index("pool_member_customer", "pool_member", ["pool_id", "customer_id", "id"], unique=False)
    op.create_table(
        "pool_use",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("movement_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "movement_id"),
    )
    for table in ("customer_profile", "pool", "pool_member", "pool_use"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
        )
