"""Profiles: what institutions say of their customers, for currencies whose accounts it decides. Pure.

The history is append-only: what was said when points were credited can be seen later. It is a type and groups, no
personal data.
"""

from hub.access import Right
from hub.errors import Forbidden, InvalidInput
from hub.ledger import commands, parts, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.records import Profile

GROUPS_MAX = 50


def set_profile(book: Book, command: commands.SetCustomerProfile) -> Draft:
    """What holds of a customer from now on, instead of what was said before. Points that the customer has stay where
    they are. By a trader or an administrator of the customer's institution or of one above it.

    Raises:
        InvalidInput: the type or a group is no label, or there are too many groups.
    """
    home = resolve.institution(book, command.customer.institution)
    try:
        resolve.allow(book, command.actor, Right.TRADE, home.id)
    except Forbidden:
        resolve.allow(book, command.actor, Right.CONFIGURE, home.id)
    resolve.active(book, home.id)
    if command.customer_type is not None:
        parts.check_label("type", command.customer_type)
    check_groups(command.groups)
    customer = resolve.known_customer(book, command.customer, home)
    draft = Draft(book)
    draft.profiles.append(Profile(draft.new_id(), customer.id, command.customer_type, command.groups, command.actor))
    draft.result = customer
    return draft


def check_groups(groups: tuple[str, ...]) -> None:
    """Pass if these are groups of customers.

    Raises:
        InvalidInput: one is no label or stands twice, or there are too many.
    """
    if len(groups) > GROUPS_MAX or len(set(groups)) < len(groups):
        raise InvalidInput(groups=len(groups))
    for group in groups:
        parts.check_label("groups", group)
