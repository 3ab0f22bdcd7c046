"""Reconciliation: runs over partners' days, and their breaks."""

from sqlalchemy import Column, Index, Integer, PrimaryKeyConstraint, Table, UniqueConstraint, text

from hub.tables.columns import id_, journal_, metadata, text_

# Runs of reconciliation; the document says what each compared and came to.
reconciliation = Table(
    "reconciliation",
    metadata,
    journal_(),
    id_("id"),
    id_("credential_id"),
    text_("currency"),
    text_("day"),
    text_("document"),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("reconciliation_day", "currency", "day", "id"),
)

# What of a day does not agree; its steps say how it came to stand as it does.
reconciliation_break = Table(
    "reconciliation_break",
    metadata,
    journal_(),
    id_("id"),
    id_("run_id"),
    text_("currency"),
    text_("day"),
    Column("scale", Integer, nullable=False),
    text_("reference"),
    text_("type"),
    text_("figures"),
    text_("status"),
    id_("owner_id", nullable=True),
    id_("proposal_id", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    UniqueConstraint("journal_id", "currency", "day", "reference", name="reconciliation_break_reference"),
    Index("reconciliation_break_currency", "currency", "id"),
    Index("reconciliation_break_open", "id", postgresql_where=text("status IN ('OPEN', 'PROPOSED')")),
    postgresql_with={"fillfactor": 80},
)

break_step = Table(
    "break_step",
    metadata,
    journal_(),
    id_("id"),
    id_("break_id"),
    text_("kind"),
    id_("credential_id"),
    id_("run_id", nullable=True),
    text_("figures", nullable=True),
    id_("owner_id", nullable=True),
    text_("ending", nullable=True),
    id_("adjusted", nullable=True),
    id_("movement_id", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("break_step_break", "break_id", "id"),
)
