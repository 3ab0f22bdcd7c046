"""What all tables are made of: their metadata, and columns of the usual kinds."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, DateTime, Integer, MetaData, Text

metadata = MetaData()


def id_(name: str, *, nullable: bool = False) -> Column[int]:
    """An identifier, an amount in smallest units, or another whole number of 64 bits."""
    return Column(name, BigInteger, nullable=nullable)


def text_(name: str, *, nullable: bool = False) -> Column[str]:
    """A text."""
    return Column(name, Text, nullable=nullable)


def time_(name: str, *, nullable: bool = False) -> Column[datetime]:
    """An instant."""
    return Column(name, DateTime(timezone=True), nullable=nullable)


def journal_() -> Column[int]:
    """Which journal a row is of."""
    return Column("journal_id", Integer, nullable=False)
