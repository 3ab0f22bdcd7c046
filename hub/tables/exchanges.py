"""Exchanges: acts over partners, their orders, and the calls that are due."""

from sqlalchemy import Boolean, Column, Index, Integer, PrimaryKeyConstraint, Table, UniqueConstraint, text

from hub.tables.columns import id_, journal_, metadata, text_, time_

# Where the way of a conversion that needs a partner stands; its steps say how it came there.
exchange = Table(
    "exchange",
    metadata,
    journal_(),
    id_("id"),
    text_("state"),
    text_("order_reference", nullable=True),
    Column("in_doubt", Boolean, nullable=False),
    text_("taken", nullable=True),
    text_("partner_taken", nullable=True),
    id_("window_id", nullable=True),
    text_("refusal", nullable=True),
    text_("details", nullable=True),
    id_("changed_in"),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("exchange_in_doubt", "id", postgresql_where=text("in_doubt")),
    postgresql_with={"fillfactor": 80},
)

exchange_step = Table(
    "exchange_step",
    metadata,
    journal_(),
    id_("id"),
    id_("exchange_id"),
    text_("state"),
    Column("in_doubt", Boolean, nullable=False),
    id_("credential_id"),
    text_("order_reference", nullable=True),
    text_("status", nullable=True),
    text_("reason", nullable=True),
    text_("code", nullable=True),
    text_("partner_reference", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("exchange_step_exchange", "exchange_id", "id"),
)

# What partners are asked, written down before it is sent. The member is known by the customer's reference.
partner_order = Table(
    "partner_order",
    metadata,
    journal_(),
    id_("id"),
    text_("reference"),
    id_("exchange_id"),
    text_("operation"),
    text_("currency"),
    id_("customer_id"),
    id_("amount"),
    text_("undoes", nullable=True),
    text_("partner_undoes", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    UniqueConstraint("journal_id", "reference", name="partner_order_reference"),
    Index("partner_order_exchange", "exchange_id", "id"),
)

exchange_evidence = Table(
    "exchange_evidence",
    metadata,
    journal_(),
    id_("id"),
    id_("exchange_id"),
    text_("order_reference"),
    text_("kind"),
    Column("done", Boolean, nullable=True),
    id_("credential_id"),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("exchange_evidence_exchange", "exchange_id", "id"),
)

# The orders that have no final answer: when each is to be sent or asked for next, and who is at it until when.
partner_call = Table(
    "partner_call",
    metadata,
    journal_(),
    text_("reference"),
    text_("currency"),
    time_("due_at"),
    time_("leased_until", nullable=True),
    Column("attempts", Integer, nullable=False),
    time_("sent_at", nullable=True),
    text_("status", nullable=True),
    text_("code", nullable=True),
    text_("message", nullable=True),
    PrimaryKeyConstraint("journal_id", "reference"),
    Index("partner_call_due", "due_at"),
    postgresql_with={"fillfactor": 70},
)

# Answers of partners that were not believed, and calls that failed on our side, for people.
partner_incident = Table(
    "partner_incident",
    metadata,
    journal_(),
    text_("reference"),
    Column("attempt", Integer, nullable=False),
    time_("at"),
    text_("text"),
    PrimaryKeyConstraint("journal_id", "reference", "attempt"),
)
