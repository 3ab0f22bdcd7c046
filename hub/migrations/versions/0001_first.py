"""The first tables: journal, configuration, customers, accounts, acts, conversions and settlement."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

APPEND_ONLY = (
    "journal_entry",
    "configuration_change",
    "customer",
    "outcome",
    "movement",
    "leg",
    "window_net",
    "confirmation",
    "settlement_report",
    "signing_key",
)


def upgrade() -> None:
    """Make everything from nothing."""
    op.create_table(
        "account",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("debits_posted", sa.BigInteger(), nullable=False),
        sa.Column("credits_posted", sa.BigInteger(), nullable=False),
        sa.Column("debits_pending", sa.BigInteger(), nullable=False),
        sa.Column("credits_pending", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "debits_posted >= 0 AND credits_posted >= 0 AND debits_pending >= 0 AND credits_pending >= 0",
            name="account_counters_not_negative",
        ),
        sa.CheckConstraint(
            "kind <> 1 OR credits_posted - debits_posted - debits_pending >= 0", name="account_customer_not_below_zero"
        ),
        sa.PrimaryKeyConstraint("journal_id", "id"),
        sa.UniqueConstraint("journal_id", "owner_id", "currency", "kind", name="account_natural"),
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "bonus_use",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("rate_id", sa.BigInteger(), nullable=False),
        sa.Column("bonus", sa.SmallInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("used >= 0", name="bonus_use_not_negative"),
        sa.PrimaryKeyConstraint("journal_id", "customer_id", "rate_id", "bonus"),
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "configuration_change",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("noun", sa.Text(), nullable=False),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("credential_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "version"),
    )
    op.create_table(
        "confirmation",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("window_id", sa.BigInteger(), nullable=False),
        sa.Column("institution_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("movement_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("value_date", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "window_id", "institution_id", "currency"),
    )
    op.create_table(
        "conversion",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("changed_in", sa.BigInteger(), nullable=False),
        sa.Column("credential_id", sa.BigInteger(), nullable=False),
        sa.Column("for_institution_id", sa.BigInteger(), nullable=False),
        sa.Column("rate_id", sa.BigInteger(), nullable=False),
        sa.Column("quote_id", sa.BigInteger(), nullable=True),
        sa.Column("from_customer_id", sa.BigInteger(), nullable=False),
        sa.Column("from_institution_id", sa.BigInteger(), nullable=False),
        sa.Column("to_customer_id", sa.BigInteger(), nullable=False),
        sa.Column("to_institution_id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.BigInteger(), nullable=False),
        sa.Column("target", sa.BigInteger(), nullable=False),
        sa.Column("bonus", sa.BigInteger(), nullable=False),
        sa.Column("fee", sa.BigInteger(), nullable=False),
        sa.Column("settlement", sa.BigInteger(), nullable=False),
        sa.Column("eligible", sa.Text(), nullable=False),
        sa.Column("residue", sa.Text(), nullable=False),
        sa.Column("window_id", sa.BigInteger(), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("journal_id", "id"),
        postgresql_with={"fillfactor": 80},
    )
    op.create_index("conversion_from", "conversion", ["from_institution_id", "id"], unique=False)
    op.create_index("conversion_to", "conversion", ["to_institution_id", "id"], unique=False)
    op.create_table(
        "customer",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("institution_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "id"),
    )
    op.create_table(
        "customer_reference",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("institution_id", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "institution_id", "reference"),
    )
    op.create_index("customer_reference_customer", "customer_reference", ["customer_id"], unique=False)
    op.create_table(
        "journal_entry",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "batch"),
    )
    op.create_table(
        "journal_head",
        sa.Column("journal_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("configuration_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id"),
    )
    op.create_table(
        "leg",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("movement_id", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.SmallInteger(), nullable=False),
        sa.Column("phase", sa.SmallInteger(), nullable=False),
        sa.Column("purpose", sa.SmallInteger(), nullable=False),
        sa.Column("debit_account_id", sa.BigInteger(), nullable=False),
        sa.Column("credit_account_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("debit_after", sa.BigInteger(), nullable=False),
        sa.Column("credit_after", sa.BigInteger(), nullable=False),
        sa.Column("window_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("amount > 0", name="leg_amount_positive"),
        sa.CheckConstraint("debit_account_id <> credit_account_id", name="leg_two_accounts"),
        sa.PrimaryKeyConstraint("journal_id", "movement_id", "n"),
        postgresql_partition_by="RANGE (movement_id)",
    )
    op.create_index(
        "leg_credit",
        "leg",
        ["credit_account_id", "movement_id"],
        unique=False,
        postgresql_where=sa.text("window_id IS NULL"),
    )
    op.create_index(
        "leg_debit",
        "leg",
        ["debit_account_id", "movement_id"],
        unique=False,
        postgresql_where=sa.text("window_id IS NULL"),
    )
    op.create_table(
        "memo",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("movement_id", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "movement_id"),
    )
    op.create_table(
        "movement",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("credential_id", sa.BigInteger(), nullable=False),
        sa.Column("for_institution_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("from_customer_id", sa.BigInteger(), nullable=True),
        sa.Column("to_customer_id", sa.BigInteger(), nullable=True),
        sa.Column("merchant_id", sa.BigInteger(), nullable=True),
        sa.Column("money", sa.Text(), nullable=True),
        sa.Column("value", sa.BigInteger(), nullable=True),
        sa.Column("fee", sa.BigInteger(), nullable=True),
        sa.Column("subject_id", sa.BigInteger(), nullable=True),
        sa.Column("earned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("journal_id", "id"),
    )
    op.create_index(
        "movement_subject", "movement", ["subject_id"], unique=False, postgresql_where=sa.text("subject_id IS NOT NULL")
    )
    op.create_table(
        "outcome",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("institution_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("details", sa.Text(), nullable=True),
        sa.Column("subject_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("journal_id", "institution_id", "key"),
    )
    op.create_index("outcome_id", "outcome", ["id"], unique=False)
    op.create_table(
        "position",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("window_id", sa.BigInteger(), nullable=False),
        sa.Column("institution_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("debits", sa.BigInteger(), nullable=False),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.Column("subtree", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "window_id", "institution_id", "currency"),
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "quote",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("credential_id", sa.BigInteger(), nullable=False),
        sa.Column("for_institution_id", sa.BigInteger(), nullable=False),
        sa.Column("rate_id", sa.BigInteger(), nullable=False),
        sa.Column("from_customer_id", sa.BigInteger(), nullable=False),
        sa.Column("to_customer_id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.BigInteger(), nullable=False),
        sa.Column("target", sa.BigInteger(), nullable=False),
        sa.Column("bonus", sa.BigInteger(), nullable=False),
        sa.Column("fee", sa.BigInteger(), nullable=False),
        sa.Column("settlement", sa.BigInteger(), nullable=False),
        sa.Column("eligible", sa.Text(), nullable=False),
        sa.Column("residue", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_by", sa.BigInteger(), nullable=True),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "id"),
        postgresql_with={"fillfactor": 80},
    )
    op.create_index("quote_customer", "quote", ["from_customer_id", "expires_at"], unique=False)
    op.create_index("quote_rate", "quote", ["rate_id", "expires_at"], unique=False)
    op.create_table(
        "settlement_report",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("window_id", sa.BigInteger(), nullable=False),
        sa.Column("institution_id", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("jws", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("previous_digest", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("journal_id", "window_id", "institution_id"),
    )
    op.create_table(
        "settlement_window",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_in", sa.BigInteger(), nullable=True),
        sa.Column("changed_in", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "id"),
        sa.UniqueConstraint("journal_id", "model", "number", name="settlement_window_number"),
    )
    op.create_index(
        "settlement_window_open",
        "settlement_window",
        ["journal_id", "model"],
        unique=True,
        postgresql_where=sa.text("status = 'OPEN'"),
    )
    op.create_index(
        "settlement_window_unsettled",
        "settlement_window",
        ["id"],
        unique=False,
        postgresql_where=sa.text("status <> 'SETTLED'"),
    )
    op.create_table(
        "signing_key",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("jwk", sa.Text(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kid"),
    )
    op.create_table(
        "window_net",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("window_id", sa.BigInteger(), nullable=False),
        sa.Column("institution_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("debits", sa.BigInteger(), nullable=False),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.Column("net", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "window_id", "institution_id", "currency"),
    )
    op.execute("CREATE TABLE leg_rest PARTITION OF leg DEFAULT")
    # The server's role owns no table: the next partition is opened by the owner's function. 38 bits: 2^18 batches.
    op.execute(
        """
        CREATE FUNCTION open_leg_partition(batch bigint) RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
        DECLARE
            part bigint := batch >> 18;
        BEGIN
            EXECUTE format(
                'CREATE TABLE IF NOT EXISTS leg_p%s PARTITION OF leg FOR VALUES FROM (%s) TO (%s)',
                part, part << 38, (part + 1) << 38
            );
        END $$
        """
    )
    op.execute("SELECT open_leg_partition(0)")
    # Grants keep the server's role from rewriting; this keeps everybody from doing so by mistake.
    op.execute(
        """
        CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
        END $$
        """
    )
    # A journal's id leads every key, and the planner takes it for selective until it has seen the table once.
    op.execute(
        """
        CREATE FUNCTION refresh_statistics() RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
        BEGIN
            ANALYZE account, customer, customer_reference, outcome, movement, memo, leg, quote, conversion, bonus_use,
                configuration_change, journal_entry, settlement_window, position, window_net, confirmation;
        END $$
        """
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
        )
