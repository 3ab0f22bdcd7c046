"""Why the hub's own PostgreSQL cannot be used."""

from hub.errors import Failure


class PostgresError(Failure):
    """The hub's own PostgreSQL cannot be used."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"{(type(self).__doc__ or '').rstrip('.')}: {detail}")
        self.detail = detail


class NoBinaries(PostgresError):
    """There is no PostgreSQL to run."""


class NotOurFolder(PostgresError):
    """The data folder is not one of Points Hub's and was not touched."""


class UnfitFolderName(PostgresError):
    """The data folder's name cannot be used."""


class UnreachableFolder(PostgresError):
    """The user nobody, as whom PostgreSQL has to run here, cannot enter the data folder."""


class UnsafeSocketFolder(PostgresError):
    """The folder of PostgreSQL's socket is not private to its user."""


class PasswordsLost(PostgresError):
    """The passwords of the existing PostgreSQL cluster cannot be read."""


class DidNotStart(PostgresError):
    """PostgreSQL did not start."""


class NotPrepared(PostgresError):
    """PostgreSQL runs, but its roles and database could not be made."""


class DidNotStop(PostgresError):
    """PostgreSQL did not stop."""
