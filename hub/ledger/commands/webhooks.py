"""Where institutions are told what happens."""

from hub.ledger.commands.command import Command


class SetWebhook(Command, frozen=True, kw_only=True):
    """``secret``: a fresh one, sealed, for an institution that has none; ``plain``: whether http is allowed too."""

    institution: str
    url: str
    types: tuple[str, ...]
    secret: str
    plain: bool = False


class RotateWebhookSecret(Command, frozen=True, kw_only=True):
    """``secret``: the new one, sealed."""

    institution: str
    secret: str


class ResealWebhookSecrets(Command, frozen=True, kw_only=True):
    """The same secrets, sealed anew; asked by the hub itself. ``instead_of``: the current one as it was sealed."""

    institution: str
    secret: str
    previous: str | None
    instead_of: str


class DisableWebhook(Command, frozen=True, kw_only=True):
    """``gone``: the URL that has answered that it is no more; asked by the hub itself."""

    institution: str
    gone: str | None = None
