"""Lots of points that end, and holds on points."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add lots, what moves in and out of them, and holds."""
    op.add_column("account", sa.Column("aged", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("account", sa.Column("marks", sa.SmallInteger(), nullable=False, server_default="0"))
    op.alter_column("account", "aged", server_default=None)
    op.alter_column("account", "marks", server_default=None)
    op.create_check_constraint(
        "account_aged", "account", "aged >= 0 AND (kind <> 1 OR aged <= credits_posted - debits_posted)"
    )
    op.create_table(
        "lot",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("earned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("held >= 0 AND held <= amount", name="lot_held_within_amount"),
        sa.PrimaryKeyConstraint("journal_id", "account_id", "expires_at", "origin"),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index("lot_end", "lot", ["expires_at", "account_id"], unique=False)
    op.create_table(
        "lot_entry",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("movement_id", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.SmallInteger(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("earned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "movement_id", "n", "place"),
    )
    op.create_table(
        "hold",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("credential_id", sa.BigInteger(), nullable=False),
        sa.Column("for_institution_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("shortfall", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("captured", sa.BigInteger(), nullable=False),
        sa.Column("resolved_by", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("captured >= 0 AND captured <= amount", name="hold_captured_within_amount"),
        sa.PrimaryKeyConstraint("journal_id", "id"),
        postgresql_with={"fillfactor": 80},
    )
    op.create_index("hold_customer", "hold", ["customer_id", "currency"], unique=False)
    op.create_index("hold_end", "hold", ["expires_at"], unique=False, postgresql_where=sa.text("status = 'HELD'"))
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON lot_entry"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
    )
    op.execute(
        """
        CREATE OR REPLACE FUNCTION refresh_statistics() RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
        BEGIN
            ANALYZE account, customer, customer_reference, outcome, movement, memo, leg, quote, conversion, bonus_use,
                configuration_change, journal_entry, settlement_window, position, window_net, confirmation,
                lot, lot_entry, hold;
        END $$
        """
    )
