"""Prepaid blocks of points: what was offered and sold, what was done about it, and what grants drew and brought
back."""

from sqlalchemy import Boolean, Column, Index, Integer, PrimaryKeyConstraint, Table

from hub.tables.columns import id_, journal_, metadata, text_, time_

# What was offered, and how it stands now: its steps and draws say how it came to that.
prepaid_block = Table(
    "prepaid_block",
    metadata,
    journal_(),
    id_("id"),
    id_("credential_id"),
    id_("holder_id"),
    text_("currency"),
    id_("units"),
    text_("money"),
    id_("value"),
    time_("valid_until", nullable=True),
    text_("status"),
    id_("sold_id", nullable=True),
    id_("drawn"),
    id_("refunded"),
    id_("proposal_id", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("prepaid_block_holder", "holder_id", "currency", "id"),
    Index("prepaid_block_currency", "currency", "id"),
    postgresql_with={"fillfactor": 80},
)

prepaid_step = Table(
    "prepaid_step",
    metadata,
    journal_(),
    id_("id"),
    id_("block_id"),
    text_("kind"),
    id_("credential_id"),
    id_("units", nullable=True),
    id_("movement_id", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("prepaid_step_block", "block_id", "id"),
)

prepaid_draw = Table(
    "prepaid_draw",
    metadata,
    journal_(),
    id_("movement_id"),
    Column("place", Integer, nullable=False),
    id_("block_id"),
    id_("units"),
    PrimaryKeyConstraint("journal_id", "movement_id", "place"),
    Index("prepaid_draw_block", "block_id", "movement_id"),
)

# The last one of a holder and currency says how its stock stands.
prepaid_notice = Table(
    "prepaid_notice",
    metadata,
    journal_(),
    id_("id"),
    id_("credential_id"),
    id_("holder_id"),
    text_("currency"),
    id_("threshold", nullable=True),
    Column("low", Boolean, nullable=False),
    id_("units_left"),
    id_("movement_id", nullable=True),
    PrimaryKeyConstraint("journal_id", "id"),
    Index("prepaid_notice_holder", "holder_id", "currency", "id"),
)
