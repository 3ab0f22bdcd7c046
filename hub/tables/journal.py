"""The journal: its head, its entries, and the configuration, which is a history of changes."""

from sqlalchemy import Column, Integer, LargeBinary, PrimaryKeyConstraint, Table

from hub.tables.columns import id_, journal_, metadata, text_, time_

journal_head = Table(
    "journal_head",
    metadata,
    Column("journal_id", Integer, primary_key=True, autoincrement=False),
    id_("batch"),
    Column("hash", LargeBinary, nullable=False),
    time_("at"),
    id_("configuration_version"),
)

journal_entry = Table(
    "journal_entry",
    metadata,
    journal_(),
    id_("batch"),
    time_("at"),
    Column("previous", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("rows", Integer, nullable=False),
    PrimaryKeyConstraint("journal_id", "batch"),
)

# From which batch on points that end are in lots; a journal without a row has kept them from its beginning.
lots_since = Table("lots_since", metadata, journal_(), id_("batch"), PrimaryKeyConstraint("journal_id"))

configuration_change = Table(
    "configuration_change",
    metadata,
    journal_(),
    id_("version"),
    text_("noun"),
    id_("key"),
    text_("document"),
    id_("credential_id"),
    PrimaryKeyConstraint("journal_id", "version"),
)
