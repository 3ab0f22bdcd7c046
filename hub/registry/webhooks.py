"""Configuring webhooks: where an institution is told what happened, the secret that signs, and the end of it. Pure.

By an administrator of the institution or of one above it, or by the operator for it. Where a URL leads is tested when
something is sent there, because a name may lead elsewhere by then.
"""

from dataclasses import replace
from urllib.parse import urlsplit

from hub.access import Right
from hub.errors import InvalidInput, NotFound
from hub.institutions import Institution
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.webhooks.endpoints import ALL, BOTH_SIGN_FOR, EventType, Webhook, WebhookStatus

URL_MAX = 1_000
_TYPES = frozenset({ALL, *(type.value for type in EventType)})


def set_webhook(book: Book, command: commands.SetWebhook) -> Draft:
    """An institution's endpoint, or another URL or other types for it; it is active from then on. The first one takes
    the command's secret, a later one keeps its own.

    Raises:
        InvalidInput: the URL is none that can be sent to, or a type is none.
        NotFound: there is no such institution.
    """
    home = _home(book, command.actor, command.institution)
    resolve.active(book, home.id)
    url = _url(command.url, plain=command.plain)
    types = _types(command.types)
    draft = Draft(book)
    known = book.configuration.webhooks.get(home.id)
    if known is None:
        made = Webhook(
            id=draft.new_id(),
            institution=home.id,
            url=url,
            types=types,
            status=WebhookStatus.ACTIVE,
            since=book.batch,
            created_at=book.at,
            secret=command.secret,
        )
    else:
        since = known.since if known.is_told else book.batch
        made = replace(known, url=url, types=types, status=WebhookStatus.ACTIVE, since=since)
    return _take(draft, made)


def rotate(book: Book, command: commands.RotateWebhookSecret) -> Draft:
    """Another secret; the one before signs as well for a day, and one before that no more.

    Raises:
        NotFound: there is no such institution, or it has no endpoint.
    """
    known = _known(book, command.actor, command.institution)
    until = book.at + BOTH_SIGN_FOR
    return _take(Draft(book), replace(known, secret=command.secret, previous=known.secret, previous_until=until))


def reseal(book: Book, command: commands.ResealWebhookSecrets) -> Draft:
    """The same secrets under another key. By the operator.

    Raises:
        NotFound: there is no such institution, or it has no endpoint.
        InvalidInput: the secret was changed meanwhile.
    """
    resolve.operating(book, command.actor)
    known = _known(book, command.actor, command.institution)
    if known.secret != command.instead_of:
        raise InvalidInput(webhook="changed meanwhile")
    return _take(Draft(book), replace(known, secret=command.secret, previous=command.previous))


def disable(book: Book, command: commands.DisableWebhook) -> Draft:
    """Tell an institution nothing any more; or nothing for now, because its endpoint is gone. What has changed since
    that answer is left as it is.

    Raises:
        NotFound: there is no such institution, or it has no endpoint.
    """
    known = _known(book, command.actor, command.institution)
    status = WebhookStatus.DISABLED if command.gone is None else WebhookStatus.GONE
    draft = Draft(book)
    draft.result = known
    if known.status is status or (
        command.gone is not None and (known.url != command.gone or known.status is not WebhookStatus.ACTIVE)
    ):
        return draft
    return _take(draft, replace(known, status=status))


def _home(book: Book, actor: int, code: str) -> Institution:
    home = resolve.institution(book, code)
    resolve.allow(book, actor, Right.CONFIGURE, home.id)
    return home


def _known(book: Book, actor: int, code: str) -> Webhook:
    home = _home(book, actor, code)
    found = book.configuration.webhooks.get(home.id)
    if found is None:
        raise NotFound(institution=home.code)
    return found


def _take(draft: Draft, made: Webhook) -> Draft:
    draft.nouns.append(made)
    draft.result = made
    return draft


def _url(text: str, *, plain: bool) -> str:
    """A URL to which can be sent: https (or http, if that is allowed), a host in ASCII, no user and no fragment."""
    wrong = InvalidInput(url=text[:60])
    if len(text) > URL_MAX or not text.isascii() or not text.isprintable() or set(text) & set(' \\"<>'):
        raise wrong
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise wrong from None
    if not usable or parts.scheme not in (("https", "http") if plain else ("https",)):
        raise wrong
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise wrong
    return text


def _types(given: tuple[str, ...]) -> tuple[str, ...]:
    types = tuple(dict.fromkeys(given))
    unknown = [type for type in types if type not in _TYPES]
    if not types or unknown:
        raise InvalidInput(types=unknown[0][:60] if unknown else "none")
    return types
