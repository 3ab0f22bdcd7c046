"""Webhooks: how far the journal was followed, and what endpoints are told."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Make the tables, and let conversions be found by the batch that left them in another state than completed."""
    op.create_table(
        "webhook_cursor",
        sa.Column("journal_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id"),
    )
    op.create_table(
        "webhook_event",
        sa.Column("journal_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("webhook_id", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claims", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("journal_id", "id"),
        postgresql_with={"fillfactor": 80},
    )
    pending, dead = sa.text("status = 'PENDING'"), sa.text("status = 'DEAD'")
    for name, columns, where in (
        ("webhook_event_due", ["webhook_id", "due_at", "id"], pending),
        ("webhook_event_order", ["webhook_id", "subject", "id"], pending),
        ("webhook_event_dead", ["webhook_id", "id"], dead),
        ("webhook_event_listed", ["webhook_id", "id"], None),
    ):
        op.create_index(name, "webhook_event", columns, unique=False, postgresql_where=where)
    op.create_index(
        "conversion_changed",
        "conversion",
        ["changed_in"],
        unique=False,
        postgresql_where=sa.text("status <> 'COMPLETED'"),
    )
