"""Partners that work in nightly batches, over a folder or SFTP: CSV goes out and comes in.

configuration.py   what a partner is described by
sftp.py            a partner's server, where there is one
carrier.py         between the folder and that server
durable.py         files that are whole or not there, and one process at a time
tables.py          the files' form: rows, totals and digest
batches.py         our side of the folder: orders are staged, and go out in one file, once
results.py         the partner's side: which result file is believed
partner.py         the port on top of these
"""

from pydantic import BaseModel

from adapters.file.configuration import Configuration
from adapters.file.partner import FilePartner


class File:
    """The kind ``file``."""

    @property
    def configuration(self) -> type[BaseModel]:
        return Configuration

    def connect(self, configuration: Configuration) -> FilePartner:
        return FilePartner(configuration)


kind = File()
