"""Profile rows: the profiles that a batch needs, read under the journal's lock: of the customers who may be credited in
currencies whose accounts they decide. For batches of others nothing is asked.
"""

from typing import Any

import msgspec

from hub.ledger.arrays import array
from hub.ledger.book import Book
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.needs import Needs
from hub.ledger.parts import BY_PROFILE
from hub.ledger.records import Profile

LATEST = f"""
SELECT p.id, p.customer_id, p.type, p.groups, p.credential_id
FROM unnest($1::text::bigint[]) AS wanted (customer_id)
CROSS JOIN LATERAL (
    SELECT * FROM customer_profile
    WHERE journal_id = {JOURNAL_ID} AND customer_id = wanted.customer_id ORDER BY id DESC LIMIT 1
) p
"""


async def profiles(driver: Any, book: Book, needs: Needs) -> None:
    """What holds of the customers whose profile may decide."""
    configuration = book.configuration
    by_profile = {code for code in {party[2] for party in needs.parties} if _is_by_profile(book, needs, code)}
    wanted = {
        book.customers[home, reference].id
        for home, reference, code in (needs.parties if by_profile else ())
        if code in by_profile and (home, reference) in book.customers
    }
    if any(_is_by_profile(book, needs, held.currency) for held in book.holds.values()):
        wanted.update(book.customers[one].id for one in needs.takers if one in book.customers)
    wanted.update(book.customers[one].id for one in needs.parting if one in book.customers)
    for id in needs.quotes & book.quotes.keys():
        rate = configuration.rates[book.quotes[id].rate]
        if _is_by_profile(book, needs, configuration.currencies[rate.target].code):
            wanted.add(book.quotes[id].target.id)
    for made in book.conversions.values():
        if _is_by_profile(book, needs, configuration.currencies[configuration.rates[made.rate].target].code):
            wanted.add(made.target.id)
    if wanted:
        for row in await driver.fetch(LATEST, array(wanted)):
            book.profiles[row["customer_id"]] = profile_of(row)


def profile_of(row: Any) -> Profile:
    """A profile from its row."""
    groups = msgspec.json.decode(row["groups"], type=tuple[str, ...])
    return Profile(row["id"], row["customer_id"], row["type"], groups, row["credential_id"])


def _is_by_profile(book: Book, needs: Needs, code: str) -> bool:
    """Whether profiles decide the accounts of a currency, now or, for all that is known, later in the batch."""
    of = book.configuration.currency(code)
    return code in needs.policies or (of is not None and of.policy.accounts in BY_PROFILE)
