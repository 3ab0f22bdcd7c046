"""Cover: what was put up at the settlement bank and taken back, as one person recorded it and another decided on it;
and the nets that were not paid, with what was done about each."""

from sqlalchemy import Index, PrimaryKeyConstraint, Table, UniqueConstraint

from hub.tables.columns import id_, journal_, metadata, text_

cover_entry = Table(
    "cover_entry",
    metadata,
    journal_(),
    id_("id"),
    id_("credential_id"),
    id_("institution_id"),
    text_("pot"),
    text_("currency"),
    id_("amount"),
    text_("value_date", nullable=True),
    text_("reference"),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("cover_entry_institution", "institution_id", "currency", "id"),
    Index("cover_entry_reference", "currency", "reference"),
)

cover_decision = Table(
    "cover_decision",
    metadata,
    journal_(),
    id_("id"),
    id_("entry_id"),
    text_("status"),
    id_("credential_id"),
    id_("movement_id", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    UniqueConstraint("journal_id", "entry_id", name="cover_decision_of"),
)

settlement_default = Table(
    "settlement_default",
    metadata,
    journal_(),
    id_("id"),
    id_("credential_id"),
    id_("window_id"),
    id_("institution_id"),
    text_("currency"),
    id_("amount"),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("settlement_default_window", "window_id"),
)

default_step = Table(
    "default_step",
    metadata,
    journal_(),
    id_("id"),
    id_("default_id"),
    text_("kind"),
    id_("credential_id"),
    id_("amount"),
    text_("value_date", nullable=True),
    text_("reference", nullable=True),
    id_("movement_id", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("default_step_default", "default_id", "id"),
)
