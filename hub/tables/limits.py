"""Limits: what acts have counted under them."""

from sqlalchemy import CheckConstraint, Column, PrimaryKeyConstraint, SmallInteger, Table

from hub.tables.columns import id_, journal_, metadata, text_

# What each movement counts under each limit; below zero where a reversal gives back.
limit_entry = Table(
    "limit_entry",
    metadata,
    journal_(),
    id_("movement_id"),
    Column("n", SmallInteger, nullable=False),
    id_("limit_id"),
    id_("subject_id"),
    text_("period"),
    id_("amount"),
    PrimaryKeyConstraint("journal_id", "movement_id", "n"),
    CheckConstraint("amount <> 0", name="limit_entry_amount_not_zero"),
)

limit_use = Table(
    "limit_use",
    metadata,
    journal_(),
    id_("limit_id"),
    id_("subject_id"),
    text_("period"),
    id_("used"),
    PrimaryKeyConstraint("journal_id", "subject_id", "limit_id", "period"),
    CheckConstraint("used >= 0", name="limit_use_not_negative"),
    postgresql_with={"fillfactor": 70},
)

# Issues of which a limit's version granted less than was requested.
clipping = Table(
    "clipping",
    metadata,
    journal_(),
    id_("movement_id"),
    id_("version_id"),
    id_("requested"),
    PrimaryKeyConstraint("journal_id", "movement_id"),
)
