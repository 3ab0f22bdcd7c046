"""Payments: what is known of what a bank moved. Pure."""

from datetime import date

from hub.errors import InvalidInput


def check(reference: str, value_date: str | None) -> None:
    """Pass if a payment can be found again: it has the bank's reference, and its value date, if it is told, is a day.

    Raises:
        InvalidInput: the reference is empty, or the date is none.
    """
    if not reference.strip():
        raise InvalidInput(reference="empty")
    if value_date is not None:
        try:
            written = date.fromisoformat(value_date).isoformat()
        except ValueError:
            written = None
        if written != value_date:  # Python reads 20260131 and 2026-W05-6 too
            raise InvalidInput(valueDate=value_date)
