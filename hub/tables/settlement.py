"""Settlement: windows, positions, nets, confirmations and reports."""

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from hub.tables.columns import id_, journal_, metadata, text_, time_

settlement_window = Table(
    "settlement_window",
    metadata,
    journal_(),
    id_("id"),
    text_("model"),
    Column("number", Integer, nullable=False),
    Column("ordinal", Integer, nullable=False),  # over all models, in the order in which they were opened
    text_("status"),
    time_("opened_at"),
    time_("closed_at", nullable=True),
    time_("settled_at", nullable=True),
    id_("closed_in", nullable=True),
    time_("due_at", nullable=True),  # the cut-off that it was closed for
    id_("changed_in"),
    # Whether nets go from level to level; of what was closed before there were levels everybody settles with the hub.
    Column("levels", Boolean, nullable=False),
    # Whether a participant's payments take effect together; of what was being paid before that was so each did at once.
    Column("together", Boolean, nullable=False),
    PrimaryKeyConstraint("journal_id", "id"),
    UniqueConstraint("journal_id", "model", "number", name="settlement_window_number"),
    UniqueConstraint("journal_id", "ordinal", name="settlement_window_ordinal"),
    Index("settlement_window_open", "journal_id", "model", unique=True, postgresql_where=text("status = 'OPEN'")),
    Index("settlement_window_unsettled", "id", postgresql_where=text("status <> 'SETTLED'")),
)

# Per window, institution and currency: its own acts, and what the hub owes its subtree and has not settled.
position = Table(
    "position",
    metadata,
    journal_(),
    id_("window_id"),
    id_("institution_id"),
    text_("currency"),
    id_("debits"),
    id_("credits"),
    id_("subtree"),
    id_("apart"),
    id_("gross"),
    PrimaryKeyConstraint("journal_id", "window_id", "institution_id", "currency"),
    postgresql_with={"fillfactor": 50},
)

# Of a window that is netted in pairs: what two participants owe one another by its acts, the one of the lower
# identifier the other (debits), and the other it.
pair_position = Table(
    "pair_position",
    metadata,
    journal_(),
    id_("window_id"),
    id_("first_id"),
    id_("second_id"),
    text_("currency"),
    id_("debits"),
    id_("credits"),
    PrimaryKeyConstraint("journal_id", "window_id", "first_id", "second_id", "currency"),
    postgresql_with={"fillfactor": 50},
)

window_net = Table(
    "window_net",
    metadata,
    journal_(),
    id_("window_id"),
    id_("institution_id"),
    text_("currency"),
    id_("debits"),
    id_("credits"),
    id_("net"),
    PrimaryKeyConstraint("journal_id", "window_id", "institution_id", "currency"),
)

# What a net that settles with the hub was exchanged for, by a version of an FX rate.
net_exchange = Table(
    "net_exchange",
    metadata,
    journal_(),
    id_("movement_id"),
    id_("window_id"),
    id_("institution_id"),
    text_("currency"),
    id_("net"),
    id_("rate_id"),
    text_("into_currency"),
    id_("value"),
    PrimaryKeyConstraint("journal_id", "movement_id"),
    UniqueConstraint("journal_id", "window_id", "institution_id", "currency", name="net_exchange_of_a_net"),
)

# The owner of the accounts through which a node's nets go to a parent: internal:<parent>:<node>.
internal_account = Table(
    "internal_account",
    metadata,
    journal_(),
    id_("id"),
    id_("parent_id"),
    id_("institution_id"),
    PrimaryKeyConstraint("journal_id", "id"),
    UniqueConstraint("journal_id", "parent_id", "institution_id", name="internal_account_of"),
)

confirmation = Table(
    "confirmation",
    metadata,
    journal_(),
    id_("window_id"),
    id_("institution_id"),
    text_("currency"),
    id_("movement_id"),
    id_("amount"),
    text_("value_date", nullable=True),
    text_("reference"),
    PrimaryKeyConstraint("journal_id", "window_id", "institution_id", "currency"),
)

# What two participants of a window that was netted in pairs came to: the one pays it to the other.
obligation = Table(
    "obligation",
    metadata,
    journal_(),
    id_("id"),
    id_("window_id"),
    id_("debtor_id"),
    id_("creditor_id"),
    text_("currency"),
    id_("amount"),
    PrimaryKeyConstraint("journal_id", "id"),
    UniqueConstraint("journal_id", "window_id", "debtor_id", "creditor_id", "currency", name="obligation_of"),
)

obligation_payment = Table(
    "obligation_payment",
    metadata,
    journal_(),
    id_("obligation_id"),
    id_("movement_id"),
    text_("value_date", nullable=True),
    text_("reference"),
    PrimaryKeyConstraint("journal_id", "obligation_id"),
    UniqueConstraint("journal_id", "movement_id", name="obligation_payment_movement"),
)

# Files of a bank's that were taken, each once; its payments are movements from its identifier up to the last.
confirmation_file = Table(
    "confirmation_file",
    metadata,
    journal_(),
    id_("id"),
    id_("credential_id"),
    text_("digest"),
    Column("payments", Integer, nullable=False),
    id_("last_id"),
    PrimaryKeyConstraint("journal_id", "id"),
    UniqueConstraint("journal_id", "digest", name="confirmation_file_digest"),
)

settlement_report = Table(
    "settlement_report",
    metadata,
    journal_(),
    id_("window_id"),
    id_("institution_id"),
    Column("payload", LargeBinary, nullable=False),
    text_("jws"),
    text_("digest"),
    text_("previous_digest", nullable=True),
    PrimaryKeyConstraint("journal_id", "window_id", "institution_id"),
)

# What became of nets that were not paid, signed after the reports; by the batch of the step that it follows.
settlement_supplement = Table(
    "settlement_supplement",
    metadata,
    journal_(),
    id_("window_id"),
    id_("institution_id"),
    id_("batch"),
    Column("payload", LargeBinary, nullable=False),
    text_("jws"),
    text_("digest"),
    PrimaryKeyConstraint("journal_id", "window_id", "institution_id", "batch"),
)

signing_key = Table(
    "signing_key",
    metadata,
    Column("kid", Text, primary_key=True),
    text_("jwk"),
    time_("published_at"),
)
