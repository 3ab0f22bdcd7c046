"""Webhooks: how far the journal was followed, and what is to be told."""

from sqlalchemy import Column, Index, Integer, PrimaryKeyConstraint, Table, text

from hub.tables.columns import id_, journal_, metadata, text_, time_

# The last batch whose events were made.
webhook_cursor = Table(
    "webhook_cursor",
    metadata,
    Column("journal_id", Integer, primary_key=True, autoincrement=False),
    id_("batch"),
)

# What an endpoint is told, and how that went. Made from the journal's rows, which stay whatever becomes of it.
webhook_event = Table(
    "webhook_event",
    metadata,
    journal_(),
    id_("id"),
    id_("webhook_id"),
    text_("type"),
    text_("subject"),
    text_("payload"),
    time_("happened_at"),
    text_("status"),
    time_("due_at"),
    time_("leased_until", nullable=True),
    Column("claims", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    time_("attempted_at", nullable=True),
    Column("http_status", Integer, nullable=True),
    text_("error", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("webhook_event_due", "webhook_id", "due_at", "id", postgresql_where=text("status = 'PENDING'")),
    Index("webhook_event_order", "webhook_id", "subject", "id", postgresql_where=text("status = 'PENDING'")),
    Index("webhook_event_dead", "webhook_id", "id", postgresql_where=text("status = 'DEAD'")),
    Index("webhook_event_listed", "webhook_id", "id"),
    postgresql_with={"fillfactor": 80},
)
