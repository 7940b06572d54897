"""Which of a profile's numbers and addresses are the client's own, as far as anybody said. Must not ask profiles."""

from collections.abc import Sequence
from dataclasses import replace

from chassis.database import Transaction
from messaging.clients import Recipient
from messaging.store import conversations


async def with_own_numbers(tx: Transaction, *recipients: Recipient) -> Sequence[Recipient]:
    """Return clients without the numbers that somebody said are not theirs, though their profiles still have them."""
    disowned = await conversations.disowned_by_each(tx, [one.client_id for one in recipients])
    return [_without(one, disowned.get(one.client_id, frozenset())) for one in recipients]


def _without(recipient: Recipient, gone: frozenset[str]) -> Recipient:
    if gone.isdisjoint({*recipient.phones, *recipient.emails}):
        return recipient
    # The preferred one stands first.
    return replace(
        recipient,
        phones=tuple(phone for phone in recipient.phones if phone not in gone),
        has_preferred_phone=recipient.has_preferred_phone and recipient.phones[0] not in gone,
        emails=tuple(email for email in recipient.emails if email not in gone),
        has_preferred_email=recipient.has_preferred_email and recipient.emails[0] not in gone,
    )
