"""Acts: movements with their legs, lots and holds, and what stands under keys."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    text,
)

from hub.tables.columns import id_, journal_, metadata, text_, time_

outcome = Table(
    "outcome",
    metadata,
    journal_(),
    id_("institution_id"),
    text_("key"),
    id_("id"),
    Column("request", LargeBinary, nullable=False),
    text_("refusal", nullable=True),
    text_("details", nullable=True),
    id_("subject_id", nullable=True),
    PrimaryKeyConstraint("journal_id", "institution_id", "key"),
    Index("outcome_id", "id"),
)

movement = Table(
    "movement",
    metadata,
    journal_(),
    id_("id"),
    Column("kind", SmallInteger, nullable=False),
    id_("credential_id"),
    id_("for_institution_id"),
    text_("currency"),
    id_("amount"),
    id_("from_customer_id", nullable=True),
    id_("to_customer_id", nullable=True),
    id_("merchant_id", nullable=True),
    text_("money", nullable=True),
    id_("value", nullable=True),
    id_("fee", nullable=True),
    id_("subject_id", nullable=True),
    time_("earned_at", nullable=True),
    time_("expires_at", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("movement_subject", "subject_id", postgresql_where=text("subject_id IS NOT NULL")),
)

# The version of terms that a movement was priced by, of those that have some.
act_terms = Table(
    "act_terms",
    metadata,
    journal_(),
    id_("movement_id"),
    id_("terms_id"),
    PrimaryKeyConstraint("journal_id", "movement_id"),
    Index("act_terms_version", "terms_id", "movement_id"),
)

memo = Table(
    "memo",
    metadata,
    journal_(),
    id_("movement_id"),
    text_("text"),
    PrimaryKeyConstraint("journal_id", "movement_id"),
)

leg = Table(
    "leg",
    metadata,
    journal_(),
    id_("movement_id"),
    Column("n", SmallInteger, nullable=False),
    Column("phase", SmallInteger, nullable=False),
    Column("purpose", SmallInteger, nullable=False),
    id_("debit_account_id"),
    id_("credit_account_id"),
    id_("amount"),
    id_("debit_after"),
    id_("credit_after"),
    id_("window_id", nullable=True),
    PrimaryKeyConstraint("journal_id", "movement_id", "n"),
    CheckConstraint("amount > 0", name="leg_amount_positive"),
    CheckConstraint("debit_account_id <> credit_account_id", name="leg_two_accounts"),
    # For statements of points; money's legs are read by window, which is a range of the primary key.
    Index("leg_debit", "debit_account_id", "movement_id", postgresql_where=text("window_id IS NULL")),
    Index("leg_credit", "credit_account_id", "movement_id", postgresql_where=text("window_id IS NULL")),
    postgresql_partition_by="RANGE (movement_id)",
)

# By which version of which plan an act's fee was split: a row for each share, and the leg that moves it.
fee_share = Table(
    "fee_share",
    metadata,
    journal_(),
    id_("movement_id"),
    Column("place", SmallInteger, nullable=False),
    id_("plan_id"),
    id_("institution_id"),
    id_("amount"),
    Column("n", SmallInteger, nullable=True),
    PrimaryKeyConstraint("journal_id", "movement_id", "place"),
    CheckConstraint("amount > 0", name="fee_share_amount_positive"),
)

# What legs take out of lots and put into them, and what holds pin; signed.
lot_entry = Table(
    "lot_entry",
    metadata,
    journal_(),
    id_("movement_id"),
    Column("n", SmallInteger, nullable=False),
    Column("place", Integer, nullable=False),
    id_("account_id"),
    time_("expires_at"),
    text_("origin"),
    time_("earned_at"),
    id_("amount"),
    id_("held"),
    PrimaryKeyConstraint("journal_id", "movement_id", "n", "place"),
)

hold = Table(
    "hold",
    metadata,
    journal_(),
    id_("id"),
    Column("kind", SmallInteger, nullable=False),
    id_("credential_id"),
    id_("for_institution_id"),
    id_("customer_id"),
    text_("currency"),
    id_("amount"),
    id_("shortfall"),
    time_("expires_at"),
    text_("status"),
    id_("captured"),
    id_("resolved_by", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    CheckConstraint("captured >= 0 AND captured <= amount", name="hold_captured_within_amount"),
    Index("hold_customer", "customer_id", "currency"),
    Index("hold_end", "expires_at", postgresql_where=text("status = 'HELD'")),
    postgresql_with={"fillfactor": 80},
)

# What was to be taken from a customer by a movement and was not there: owed from then on, or written off.
missing = Table(
    "missing",
    metadata,
    journal_(),
    id_("movement_id"),
    id_("debt"),
    id_("written_off"),
    PrimaryKeyConstraint("journal_id", "movement_id"),
    CheckConstraint("debt >= 0 AND written_off >= 0 AND debt + written_off > 0", name="missing_something"),
)

# The history of customers' freezes and of their leaving; ``currency`` is empty for all of a customer's accounts.
restriction = Table(
    "restriction",
    metadata,
    journal_(),
    id_("id"),
    Column("kind", SmallInteger, nullable=False),
    id_("credential_id"),
    id_("for_institution_id"),
    id_("customer_id"),
    text_("currency"),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("restriction_customer", "customer_id", "id"),
)

# What restrictions of all of a customer's accounts come to, so that one which is opened later is marked as well.
customer_mark = Table(
    "customer_mark",
    metadata,
    journal_(),
    id_("customer_id"),
    Column("marks", SmallInteger, nullable=False),
    PrimaryKeyConstraint("journal_id", "customer_id"),
)

# Over which channel an act came and of which product it was; by the identifier that the act is known by.
act_label = Table(
    "act_label",
    metadata,
    journal_(),
    id_("act_id"),
    text_("channel", nullable=True),
    text_("product", nullable=True),
    PrimaryKeyConstraint("journal_id", "act_id"),
    CheckConstraint("channel IS NOT NULL OR product IS NOT NULL", name="act_label_something"),
)

# What an issue was made for, in its issuer's words. Apart from what is hashed, because it may name somebody.
issue_record = Table(
    "issue_record",
    metadata,
    journal_(),
    text_("currency"),
    text_("record"),
    id_("movement_id"),
    PrimaryKeyConstraint("journal_id", "currency", "record", "movement_id"),
    Index("issue_record_movement", "movement_id"),
)

# Money that was paid with several currencies at once: by the redemptions that have their identifiers after ``id`` and
# up to ``last_id``.
basket = Table(
    "basket",
    metadata,
    journal_(),
    id_("id"),
    id_("last_id"),
    id_("credential_id"),
    id_("for_institution_id"),
    id_("customer_id"),
    id_("merchant_id"),
    text_("money"),
    id_("amount"),
    id_("rest"),
    PrimaryKeyConstraint("journal_id", "id"),
    CheckConstraint("rest >= 0 AND rest < amount", name="basket_rest_within_amount"),
)

# Issues that were reversed together: by the reversals that have their identifiers after ``id`` and up to ``last_id``.
cancellation = Table(
    "cancellation",
    metadata,
    journal_(),
    id_("id"),
    id_("last_id"),
    id_("credential_id"),
    id_("for_institution_id"),
    text_("currency"),
    Column("issues", Integer, nullable=False),
    id_("amount"),
    id_("debt"),
    id_("written_off"),
    PrimaryKeyConstraint("journal_id", "id"),
)
