"""The database's tables. Migrations make them; a test holds the two together.

A journal's id leads every key of the tables that grow, so that a journal can be a shard. Append-only tables refuse
UPDATE, DELETE and TRUNCATE to the server's role (see the grants in the first migration). Points are in smallest units
of their currency, money in millionths.
"""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()


def _id(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> Column[datetime]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _journal() -> Column[int]:
    return Column("journal_id", Integer, nullable=False)


# --- the journal ------------------------------------------------------------------------------------------------------

journal_head = Table(
    "journal_head",
    metadata,
    Column("journal_id", Integer, primary_key=True, autoincrement=False),
    _id("batch"),
    Column("hash", LargeBinary, nullable=False),
    _time("at"),
    _id("configuration_version"),
)

journal_entry = Table(
    "journal_entry",
    metadata,
    _journal(),
    _id("batch"),
    _time("at"),
    Column("previous", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("rows", Integer, nullable=False),
    PrimaryKeyConstraint("journal_id", "batch"),
)

# From which batch on points that end are in lots; a journal without a row has kept them from its beginning.
lots_since = Table("lots_since", metadata, _journal(), _id("batch"), PrimaryKeyConstraint("journal_id"))

configuration_change = Table(
    "configuration_change",
    metadata,
    _journal(),
    _id("version"),
    _text("noun"),
    _id("key"),
    _text("document"),
    _id("credential_id"),
    PrimaryKeyConstraint("journal_id", "version"),
)

# --- customers and accounts -------------------------------------------------------------------------------------------

customer = Table(
    "customer",
    metadata,
    _journal(),
    _id("id"),
    _id("institution_id"),
    PrimaryKeyConstraint("journal_id", "id"),
)

# Apart from everything that is hashed, so that a reference can be erased when its customer asks for it.
customer_reference = Table(
    "customer_reference",
    metadata,
    _journal(),
    _id("institution_id"),
    _text("reference"),
    _id("customer_id"),
    PrimaryKeyConstraint("journal_id", "institution_id", "reference"),
    Index("customer_reference_customer", "customer_id"),
)

# Cards, numbers and telephones by which institutions know customers. Apart from what is hashed, like references; the
# opaque id stands for one in the history of its bindings, and stays when the text is erased.
identifier = Table(
    "identifier",
    metadata,
    _journal(),
    _id("institution_id"),
    _text("text"),
    _id("id"),
    PrimaryKeyConstraint("journal_id", "institution_id", "text"),
    Index("identifier_id", "id", unique=True),
)

# Whom an identifier names from now on; ``ends_id``: nobody, because this row ends that one.
binding = Table(
    "binding",
    metadata,
    _journal(),
    _id("id"),
    _id("credential_id"),
    _id("for_institution_id"),
    _id("institution_id"),
    _id("identifier_id"),
    _id("customer_id"),
    _id("ends_id", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("binding_identifier", "identifier_id", "id"),
    Index("binding_customer", "customer_id", "id"),
    Index("binding_ends", "ends_id", unique=True, postgresql_where=text("ends_id IS NOT NULL")),
)

# Two customers who are one person: each row is the link as it is after a change; the first one's id is the link's.
customer_link = Table(
    "customer_link",
    metadata,
    _journal(),
    _id("id"),
    _id("link_id"),
    _text("status"),
    _id("credential_id"),
    _id("for_institution_id"),
    _id("a_customer_id"),
    _id("a_institution_id"),
    _id("b_customer_id"),
    _id("b_institution_id"),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("customer_link_link", "link_id", "id"),
    Index("customer_link_a", "a_customer_id", "id"),
    Index("customer_link_b", "b_customer_id", "id"),
)

# What an institution says of a customer; the last row holds.
customer_profile = Table(
    "customer_profile",
    metadata,
    _journal(),
    _id("id"),
    _id("customer_id"),
    _text("type", nullable=True),
    _text("groups"),
    _id("credential_id"),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("customer_profile_customer", "customer_id", "id"),
)

# Customers whose points their members share.
pool = Table(
    "pool",
    metadata,
    _journal(),
    _id("id"),
    _text("kind"),
    _id("owner_id"),
    _id("credential_id"),
    PrimaryKeyConstraint("journal_id", "id"),
)

# The last row of a pool and a customer holds; without rights the customer has left.
pool_member = Table(
    "pool_member",
    metadata,
    _journal(),
    _id("id"),
    _id("pool_id"),
    _id("customer_id"),
    _text("rights", nullable=True),
    _id("credential_id"),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("pool_member_customer", "pool_id", "customer_id", "id"),
)

# Which member has spent of a pool.
pool_use = Table(
    "pool_use",
    metadata,
    _journal(),
    _id("movement_id"),
    _id("customer_id"),
    PrimaryKeyConstraint("journal_id", "movement_id"),
)

account = Table(
    "account",
    metadata,
    _journal(),
    _id("id"),
    Column("kind", SmallInteger, nullable=False),
    _id("owner_id"),
    _text("currency"),
    _id("debits_posted"),
    _id("credits_posted"),
    _id("debits_pending"),
    _id("credits_pending"),
    _id("aged"),
    Column("marks", SmallInteger, nullable=False),
    PrimaryKeyConstraint("journal_id", "id"),
    UniqueConstraint("journal_id", "owner_id", "currency", "kind", name="account_natural"),
    CheckConstraint(
        "kind <> 1 OR credits_posted - debits_posted - debits_pending >= 0", name="account_customer_not_below_zero"
    ),
    CheckConstraint("kind <> 8 OR credits_posted <= debits_posted", name="account_debt_not_above_zero"),
    CheckConstraint(
        "debits_posted >= 0 AND credits_posted >= 0 AND debits_pending >= 0 AND credits_pending >= 0",
        name="account_counters_not_negative",
    ),
    CheckConstraint("aged >= 0 AND (kind <> 1 OR aged <= credits_posted - debits_posted)", name="account_aged"),
    postgresql_with={"fillfactor": 70},
)

# Open lots only: an emptied one is deleted, and made again if points come back to it.
lot = Table(
    "lot",
    metadata,
    _journal(),
    _id("account_id"),
    _time("expires_at"),
    _text("origin"),
    _time("earned_at"),
    _id("id"),
    _id("amount"),
    _id("held"),
    PrimaryKeyConstraint("journal_id", "account_id", "expires_at", "origin"),
    CheckConstraint("held >= 0 AND held <= amount", name="lot_held_within_amount"),
    Index("lot_end", "expires_at", "account_id"),
    postgresql_with={"fillfactor": 70},
)

# --- acts -------------------------------------------------------------------------------------------------------------

outcome = Table(
    "outcome",
    metadata,
    _journal(),
    _id("institution_id"),
    _text("key"),
    _id("id"),
    Column("request", LargeBinary, nullable=False),
    _text("refusal", nullable=True),
    _text("details", nullable=True),
    _id("subject_id", nullable=True),
    PrimaryKeyConstraint("journal_id", "institution_id", "key"),
    Index("outcome_id", "id"),
)

movement = Table(
    "movement",
    metadata,
    _journal(),
    _id("id"),
    Column("kind", SmallInteger, nullable=False),
    _id("credential_id"),
    _id("for_institution_id"),
    _text("currency"),
    _id("amount"),
    _id("from_customer_id", nullable=True),
    _id("to_customer_id", nullable=True),
    _id("merchant_id", nullable=True),
    _text("money", nullable=True),
    _id("value", nullable=True),
    _id("fee", nullable=True),
    _id("subject_id", nullable=True),
    _time("earned_at", nullable=True),
    _time("expires_at", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("movement_subject", "subject_id", postgresql_where=text("subject_id IS NOT NULL")),
)

memo = Table(
    "memo",
    metadata,
    _journal(),
    _id("movement_id"),
    _text("text"),
    PrimaryKeyConstraint("journal_id", "movement_id"),
)

leg = Table(
    "leg",
    metadata,
    _journal(),
    _id("movement_id"),
    Column("n", SmallInteger, nullable=False),
    Column("phase", SmallInteger, nullable=False),
    Column("purpose", SmallInteger, nullable=False),
    _id("debit_account_id"),
    _id("credit_account_id"),
    _id("amount"),
    _id("debit_after"),
    _id("credit_after"),
    _id("window_id", nullable=True),
    PrimaryKeyConstraint("journal_id", "movement_id", "n"),
    CheckConstraint("amount > 0", name="leg_amount_positive"),
    CheckConstraint("debit_account_id <> credit_account_id", name="leg_two_accounts"),
    # For statements of points; money's legs are read by window, which is a range of the primary key.
    Index("leg_debit", "debit_account_id", "movement_id", postgresql_where=text("window_id IS NULL")),
    Index("leg_credit", "credit_account_id", "movement_id", postgresql_where=text("window_id IS NULL")),
    postgresql_partition_by="RANGE (movement_id)",
)

# What legs take out of lots and put into them, and what holds pin; signed.
lot_entry = Table(
    "lot_entry",
    metadata,
    _journal(),
    _id("movement_id"),
    Column("n", SmallInteger, nullable=False),
    Column("place", Integer, nullable=False),
    _id("account_id"),
    _time("expires_at"),
    _text("origin"),
    _time("earned_at"),
    _id("amount"),
    _id("held"),
    PrimaryKeyConstraint("journal_id", "movement_id", "n", "place"),
)

hold = Table(
    "hold",
    metadata,
    _journal(),
    _id("id"),
    Column("kind", SmallInteger, nullable=False),
    _id("credential_id"),
    _id("for_institution_id"),
    _id("customer_id"),
    _text("currency"),
    _id("amount"),
    _id("shortfall"),
    _time("expires_at"),
    _text("status"),
    _id("captured"),
    _id("resolved_by", nullable=True),
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
    _journal(),
    _id("movement_id"),
    _id("debt"),
    _id("written_off"),
    PrimaryKeyConstraint("journal_id", "movement_id"),
    CheckConstraint("debt >= 0 AND written_off >= 0 AND debt + written_off > 0", name="missing_something"),
)

# The history of customers' freezes and of their leaving; ``currency`` is empty for all of a customer's accounts.
restriction = Table(
    "restriction",
    metadata,
    _journal(),
    _id("id"),
    Column("kind", SmallInteger, nullable=False),
    _id("credential_id"),
    _id("for_institution_id"),
    _id("customer_id"),
    _text("currency"),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("restriction_customer", "customer_id", "id"),
)

# What restrictions of all of a customer's accounts come to, so that one which is opened later is marked as well.
customer_mark = Table(
    "customer_mark",
    metadata,
    _journal(),
    _id("customer_id"),
    Column("marks", SmallInteger, nullable=False),
    PrimaryKeyConstraint("journal_id", "customer_id"),
)

# What an issue was made for, in its issuer's words. Apart from what is hashed, because it may name somebody.
issue_record = Table(
    "issue_record",
    metadata,
    _journal(),
    _text("currency"),
    _text("record"),
    _id("movement_id"),
    PrimaryKeyConstraint("journal_id", "currency", "record", "movement_id"),
    Index("issue_record_movement", "movement_id"),
)

# Issues that were reversed together: by the reversals that have their identifiers after ``id`` and up to ``last_id``.
cancellation = Table(
    "cancellation",
    metadata,
    _journal(),
    _id("id"),
    _id("last_id"),
    _id("credential_id"),
    _id("for_institution_id"),
    _text("currency"),
    Column("issues", Integer, nullable=False),
    _id("amount"),
    _id("debt"),
    _id("written_off"),
    PrimaryKeyConstraint("journal_id", "id"),
)

# --- conversions ------------------------------------------------------------------------------------------------------

clearing = Table(
    "clearing",
    metadata,
    _journal(),
    _id("id"),
    _id("credential_id"),
    _id("for_institution_id"),
    _text("currency"),
    _text("scope"),
    _time("earned_before", nullable=True),
    _time("starts_at"),
    _text("reason"),
    _text("status"),
    _id("reached"),
    _id("accounts"),
    _id("cleared"),
    _id("pinned"),
    _id("ageless"),
    _time("ended_at", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("clearing_running", "starts_at", postgresql_where=text("status = 'RUNNING'")),
    Index("clearing_currency", "currency", "id"),
    postgresql_with={"fillfactor": 80},
)

# What was said of points that will end, once; nothing is derived from it.
expiry_notice = Table(
    "expiry_notice",
    metadata,
    _journal(),
    _id("account_id"),
    _time("expires_at"),
    _text("currency"),
    _id("customer_id"),
    _id("amount"),
    _time("noticed_at"),
    PrimaryKeyConstraint("journal_id", "account_id", "expires_at"),
    Index("expiry_notice_currency", "currency", "noticed_at", "account_id", "expires_at"),
)

quote = Table(
    "quote",
    metadata,
    _journal(),
    _id("id"),
    _id("credential_id"),
    _id("for_institution_id"),
    _id("rate_id"),
    _id("from_customer_id"),
    _id("to_customer_id"),
    _id("source"),
    _id("target"),
    _id("bonus"),
    _id("fee"),
    _id("settlement"),
    _text("eligible"),
    _text("residue"),
    _time("expires_at"),
    _id("used_by", nullable=True),
    Column("cancelled", Boolean, nullable=False),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("quote_customer", "from_customer_id", "expires_at"),
    Index("quote_rate", "rate_id", "expires_at"),
    postgresql_with={"fillfactor": 80},
)

conversion = Table(
    "conversion",
    metadata,
    _journal(),
    _id("id"),
    _text("status"),
    _id("changed_in"),
    _id("credential_id"),
    _id("for_institution_id"),
    _id("rate_id"),
    _id("quote_id", nullable=True),
    _id("from_customer_id"),
    _id("from_institution_id"),
    _id("to_customer_id"),
    _id("to_institution_id"),
    _id("source"),
    _id("target"),
    _id("bonus"),
    _id("fee"),
    _id("settlement"),
    _text("eligible"),
    _text("residue"),
    _id("window_id"),
    _time("completed_at", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("conversion_from", "from_institution_id", "id"),
    Index("conversion_to", "to_institution_id", "id"),
    # Those of whose state events tell; a conversion that went through at once is told by its movement.
    Index("conversion_changed", "changed_in", postgresql_where=text("status <> 'COMPLETED'")),
    postgresql_with={"fillfactor": 80},
)

bonus_use = Table(
    "bonus_use",
    metadata,
    _journal(),
    _id("rate_id"),
    Column("bonus", SmallInteger, nullable=False),
    _id("customer_id"),
    _id("used"),
    PrimaryKeyConstraint("journal_id", "customer_id", "rate_id", "bonus"),
    CheckConstraint("used >= 0", name="bonus_use_not_negative"),
    postgresql_with={"fillfactor": 70},
)

# --- limits -----------------------------------------------------------------------------------------------------------

# What each movement counts under each limit; below zero where a reversal gives back.
limit_entry = Table(
    "limit_entry",
    metadata,
    _journal(),
    _id("movement_id"),
    Column("n", SmallInteger, nullable=False),
    _id("limit_id"),
    _id("subject_id"),
    _text("period"),
    _id("amount"),
    PrimaryKeyConstraint("journal_id", "movement_id", "n"),
    CheckConstraint("amount <> 0", name="limit_entry_amount_not_zero"),
)

limit_use = Table(
    "limit_use",
    metadata,
    _journal(),
    _id("limit_id"),
    _id("subject_id"),
    _text("period"),
    _id("used"),
    PrimaryKeyConstraint("journal_id", "subject_id", "limit_id", "period"),
    CheckConstraint("used >= 0", name="limit_use_not_negative"),
    postgresql_with={"fillfactor": 70},
)

# Issues of which a limit's version granted less than was requested.
clipping = Table(
    "clipping",
    metadata,
    _journal(),
    _id("movement_id"),
    _id("version_id"),
    _id("requested"),
    PrimaryKeyConstraint("journal_id", "movement_id"),
)

# --- partners ---------------------------------------------------------------------------------------------------------

# Where the way of a conversion that needs a partner stands; its steps say how it came there.
exchange = Table(
    "exchange",
    metadata,
    _journal(),
    _id("id"),
    _text("state"),
    _text("order_reference", nullable=True),
    Column("in_doubt", Boolean, nullable=False),
    _text("taken", nullable=True),
    _text("partner_taken", nullable=True),
    _id("window_id", nullable=True),
    _text("refusal", nullable=True),
    _text("details", nullable=True),
    _id("changed_in"),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("exchange_in_doubt", "id", postgresql_where=text("in_doubt")),
    postgresql_with={"fillfactor": 80},
)

exchange_step = Table(
    "exchange_step",
    metadata,
    _journal(),
    _id("id"),
    _id("exchange_id"),
    _text("state"),
    Column("in_doubt", Boolean, nullable=False),
    _id("credential_id"),
    _text("order_reference", nullable=True),
    _text("status", nullable=True),
    _text("reason", nullable=True),
    _text("code", nullable=True),
    _text("partner_reference", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("exchange_step_exchange", "exchange_id", "id"),
)

# What partners are asked, written down before it is sent. The member is known by the customer's reference.
partner_order = Table(
    "partner_order",
    metadata,
    _journal(),
    _id("id"),
    _text("reference"),
    _id("exchange_id"),
    _text("operation"),
    _text("currency"),
    _id("customer_id"),
    _id("amount"),
    _text("undoes", nullable=True),
    _text("partner_undoes", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    UniqueConstraint("journal_id", "reference", name="partner_order_reference"),
    Index("partner_order_exchange", "exchange_id", "id"),
)

exchange_evidence = Table(
    "exchange_evidence",
    metadata,
    _journal(),
    _id("id"),
    _id("exchange_id"),
    _text("order_reference"),
    _text("kind"),
    Column("done", Boolean, nullable=True),
    _id("credential_id"),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("exchange_evidence_exchange", "exchange_id", "id"),
)

# The orders that have no final answer: when each is to be sent or asked for next, and who is at it until when.
partner_call = Table(
    "partner_call",
    metadata,
    _journal(),
    _text("reference"),
    _text("currency"),
    _time("due_at"),
    _time("leased_until", nullable=True),
    Column("attempts", Integer, nullable=False),
    _time("sent_at", nullable=True),
    _text("status", nullable=True),
    _text("code", nullable=True),
    _text("message", nullable=True),
    PrimaryKeyConstraint("journal_id", "reference"),
    Index("partner_call_due", "due_at"),
    postgresql_with={"fillfactor": 70},
)

# Answers of partners that were not believed, and calls that failed on our side, for people.
partner_incident = Table(
    "partner_incident",
    metadata,
    _journal(),
    _text("reference"),
    Column("attempt", Integer, nullable=False),
    _time("at"),
    _text("text"),
    PrimaryKeyConstraint("journal_id", "reference", "attempt"),
)

# A currency's balances on their way to another keeper. ``digest`` is of the file that was compared, if it was one.
relocation = Table(
    "relocation",
    metadata,
    _journal(),
    _id("id"),
    _id("credential_id"),
    _id("for_institution_id"),
    _text("currency"),
    _text("leaves"),
    _text("adapter"),
    _text("connection"),
    _time("starts_at"),
    _text("reason"),
    _text("status"),
    _id("approved_by", nullable=True),
    Column("round", Integer, nullable=False),
    _id("reached"),
    _id("customers"),
    _id("ours"),
    _id("theirs"),
    _id("differing"),
    _id("more"),
    _id("less"),
    _text("digest", nullable=True),
    _id("accepted_by", nullable=True),
    Column("accepted", Boolean, nullable=False),
    _id("moved"),
    _time("ended_at", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("relocation_currency", "currency", "id"),
    postgresql_with={"fillfactor": 70},
)

relocation_step = Table(
    "relocation_step",
    metadata,
    _journal(),
    _id("id"),
    _id("relocation_id"),
    _text("act"),
    _id("credential_id"),
    Column("round", Integer, nullable=False),
    _id("customers"),
    _id("ours"),
    _id("theirs"),
    _id("differing"),
    _text("digest", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("relocation_step_relocation", "relocation_id", "id"),
)

# What the hub and the partner had of each customer's points. ``lots``: of the partner's, as JSON, if it told them.
opening_balance = Table(
    "opening_balance",
    metadata,
    _journal(),
    _id("id"),
    _id("relocation_id"),
    Column("round", Integer, nullable=False),
    _id("customer_id"),
    _id("ours"),
    _id("theirs"),
    _text("lots", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    UniqueConstraint("journal_id", "relocation_id", "round", "customer_id", name="opening_balance_customer"),
    CheckConstraint("ours >= 0 AND theirs >= 0", name="opening_balance_not_negative"),
)

# Runs of reconciliation; the document says what each compared and came to.
reconciliation = Table(
    "reconciliation",
    metadata,
    _journal(),
    _id("id"),
    _id("credential_id"),
    _text("currency"),
    _text("day"),
    _text("document"),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("reconciliation_day", "currency", "day", "id"),
)

# What of a day does not agree; its steps say how it came to stand as it does.
reconciliation_break = Table(
    "reconciliation_break",
    metadata,
    _journal(),
    _id("id"),
    _id("run_id"),
    _text("currency"),
    _text("day"),
    Column("scale", Integer, nullable=False),
    _text("reference"),
    _text("type"),
    _text("figures"),
    _text("status"),
    _id("owner_id", nullable=True),
    _id("proposal_id", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    UniqueConstraint("journal_id", "currency", "day", "reference", name="reconciliation_break_reference"),
    Index("reconciliation_break_currency", "currency", "id"),
    Index("reconciliation_break_open", "id", postgresql_where=text("status IN ('OPEN', 'PROPOSED')")),
    postgresql_with={"fillfactor": 80},
)

break_step = Table(
    "break_step",
    metadata,
    _journal(),
    _id("id"),
    _id("break_id"),
    _text("kind"),
    _id("credential_id"),
    _id("run_id", nullable=True),
    _text("figures", nullable=True),
    _id("owner_id", nullable=True),
    _text("ending", nullable=True),
    _id("adjusted", nullable=True),
    _id("movement_id", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("break_step_break", "break_id", "id"),
)

# --- settlement -------------------------------------------------------------------------------------------------------

settlement_window = Table(
    "settlement_window",
    metadata,
    _journal(),
    _id("id"),
    _text("model"),
    Column("number", Integer, nullable=False),
    _text("status"),
    _time("opened_at"),
    _time("closed_at", nullable=True),
    _time("settled_at", nullable=True),
    _id("closed_in", nullable=True),
    _id("changed_in"),
    # Whether nets go from level to level; of what was closed before there were levels everybody settles with the hub.
    Column("levels", Boolean, nullable=False),
    PrimaryKeyConstraint("journal_id", "id"),
    UniqueConstraint("journal_id", "model", "number", name="settlement_window_number"),
    Index("settlement_window_open", "journal_id", "model", unique=True, postgresql_where=text("status = 'OPEN'")),
    Index("settlement_window_unsettled", "id", postgresql_where=text("status <> 'SETTLED'")),
)

# Per window, institution and currency: its own acts, and what the hub owes its subtree and has not settled.
position = Table(
    "position",
    metadata,
    _journal(),
    _id("window_id"),
    _id("institution_id"),
    _text("currency"),
    _id("debits"),
    _id("credits"),
    _id("subtree"),
    _id("apart"),
    _id("gross"),
    PrimaryKeyConstraint("journal_id", "window_id", "institution_id", "currency"),
    postgresql_with={"fillfactor": 50},
)

window_net = Table(
    "window_net",
    metadata,
    _journal(),
    _id("window_id"),
    _id("institution_id"),
    _text("currency"),
    _id("debits"),
    _id("credits"),
    _id("net"),
    PrimaryKeyConstraint("journal_id", "window_id", "institution_id", "currency"),
)

internal_account = (
    Table(  # the owner of the accounts through which a node's nets go to a parent: internal:<parent>:<node>
        "internal_account",
        metadata,
        _journal(),
        _id("id"),
        _id("parent_id"),
        _id("institution_id"),
        PrimaryKeyConstraint("journal_id", "id"),
        UniqueConstraint("journal_id", "parent_id", "institution_id", name="internal_account_of"),
    )
)

confirmation = Table(
    "confirmation",
    metadata,
    _journal(),
    _id("window_id"),
    _id("institution_id"),
    _text("currency"),
    _id("movement_id"),
    _id("amount"),
    _text("value_date", nullable=True),
    _text("reference"),
    PrimaryKeyConstraint("journal_id", "window_id", "institution_id", "currency"),
)

settlement_report = Table(
    "settlement_report",
    metadata,
    _journal(),
    _id("window_id"),
    _id("institution_id"),
    Column("payload", LargeBinary, nullable=False),
    _text("jws"),
    _text("digest"),
    _text("previous_digest", nullable=True),
    PrimaryKeyConstraint("journal_id", "window_id", "institution_id"),
)

# --- webhooks ---------------------------------------------------------------------------------------------------------

# The last batch whose events were made.
webhook_cursor = Table(
    "webhook_cursor",
    metadata,
    Column("journal_id", Integer, primary_key=True, autoincrement=False),
    _id("batch"),
)

# What an endpoint is told, and how that went. Made from the journal's rows, which stay whatever becomes of it.
webhook_event = Table(
    "webhook_event",
    metadata,
    _journal(),
    _id("id"),
    _id("webhook_id"),
    _text("type"),
    _text("subject"),
    _text("payload"),
    _time("happened_at"),
    _text("status"),
    _time("due_at"),
    _time("leased_until", nullable=True),
    Column("claims", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    _time("attempted_at", nullable=True),
    Column("http_status", Integer, nullable=True),
    _text("error", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("webhook_event_due", "webhook_id", "due_at", "id", postgresql_where=text("status = 'PENDING'")),
    Index("webhook_event_order", "webhook_id", "subject", "id", postgresql_where=text("status = 'PENDING'")),
    Index("webhook_event_dead", "webhook_id", "id", postgresql_where=text("status = 'DEAD'")),
    Index("webhook_event_listed", "webhook_id", "id"),
    postgresql_with={"fillfactor": 80},
)

signing_key = Table(
    "signing_key",
    metadata,
    Column("kid", Text, primary_key=True),
    _text("jwk"),
    _time("published_at"),
)

APPEND_ONLY = (
    journal_entry,
    configuration_change,
    customer,
    customer_profile,
    pool,
    pool_member,
    pool_use,
    binding,
    customer_link,
    outcome,
    movement,
    leg,
    lot_entry,
    limit_entry,
    clipping,
    missing,
    restriction,
    cancellation,
    exchange_step,
    partner_order,
    exchange_evidence,
    partner_incident,
    relocation_step,
    opening_balance,
    reconciliation,
    break_step,
    window_net,
    internal_account,
    confirmation,
    settlement_report,
    signing_key,
    expiry_notice,
)
UPDATABLE = (
    journal_head,
    account,
    customer_mark,
    hold,
    clearing,
    quote,
    conversion,
    exchange,
    relocation,
    reconciliation_break,
    bonus_use,
    limit_use,
    settlement_window,
    position,
    webhook_cursor,
)
DERIVED = (lot, partner_call, webhook_event)  # what is made of others' rows: inserted, updated and deleted
FIXED = (lots_since,)  # written by migrations alone
ERASABLE = (customer_reference, identifier, memo, issue_record)
