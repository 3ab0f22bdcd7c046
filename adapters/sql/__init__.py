"""Partners whose points are in a database that we may write to (docs/guides/connect-a-partner.md).

configuration.py   where the database is, and what its tables or procedures are called
values.py          members, amounts and times as a database keeps them; exact, never a float
guard.py           octets that are no PostgreSQL go no further
line.py            a transaction on its way, and what is certain of it when it fails
tables.py          a table of members, and orders that are kept in one beside it
procedures.py      the partner's own statements, and what the columns of their results mean
partner.py         the port on top of these
"""

from pydantic import BaseModel

from adapters.sql.configuration import Configuration
from adapters.sql.partner import SqlPartner


class Sql:
    """The kind ``sql``."""

    @property
    def configuration(self) -> type[BaseModel]:
        return Configuration

    def connect(self, configuration: Configuration) -> SqlPartner:
        return SqlPartner(configuration)


kind = Sql()
