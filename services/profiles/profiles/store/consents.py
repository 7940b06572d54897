"""Rows of consents."""

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.consents import Channel, Consent, Purpose


async def add_consent(tx: Transaction, consent: Consent) -> None:
    """Insert a consent."""
    await tx.execute(
        "insert into consents (consent_id, chain_id, client_id, contact_point_id, contact_value, channel, purposes,"
        " wording, captured_by, captured_at, source) values (:consent_id, :chain_id, :client_id, :contact_point_id,"
        " :contact_value, :channel, :purposes, :wording, :captured_by, :captured_at, :source)",
        {
            "consent_id": consent.consent_id,
            "chain_id": tx.chain_id,
            "client_id": consent.client_id,
            "contact_point_id": consent.contact_point_id,
            "contact_value": consent.contact_value,
            "channel": consent.channel.value,
            "purposes": [purpose.value for purpose in consent.purposes],
            "wording": consent.wording,
            "captured_by": consent.captured_by,
            "captured_at": consent.captured_at,
            "source": consent.source,
        },
    )


async def get_consent(tx: Transaction, consent_id: str) -> Consent:
    """Return a consent. Raises CONSENT_NOT_FOUND."""
    if (consent := await find_consent(tx, consent_id)) is None:
        raise not_found("consent", consent_id)
    return consent


async def find_consent(tx: Transaction, consent_id: str) -> Consent | None:
    """Return a consent, or None."""
    found = await tx.execute(
        "select consent_id, client_id, contact_point_id, contact_value, channel, purposes, wording, captured_by,"
        " captured_at, source from consents where consent_id = :consent_id",
        {"consent_id": consent_id},
    )
    if (row := found.one_or_none()) is None:
        return None
    return Consent(
        **{
            **row._mapping,
            "channel": Channel(row.channel),
            "purposes": tuple(Purpose(purpose) for purpose in row.purposes),
        }
    )
