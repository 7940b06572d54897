"""A client and what hangs on it: between the contract and the domain. Must not decide anything."""

from carnet.profiles.v1 import profiles_pb2 as pb
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money

from chassis.errors import invalid
from chassis.values import date_of, datetime_of, minor_of, money_of, proto_date_of, timestamp_of
from profiles.domain.clients import Client, ContactPoint, Occasion, OccasionRecurrence, PostalAddress
from profiles.domain.preferences import Preference
from profiles.time_zones import derived_time_zone
from profiles.vocabulary import (
    CONTACT_KINDS,
    CONTACT_TYPES,
    FINGERS,
    OCCASION_KINDS,
    OCCASION_RECURRENCES,
    PREFERENCE_KINDS,
    RELATIONSHIP_KINDS,
    SIZE_SYSTEMS,
)


def contact_of(contact: pb.ContactPoint, field: str) -> ContactPoint:
    """Return the contact point in a message, without an id. Raises INVALID below `field`."""
    return ContactPoint(
        contact_point_id="",
        kind=CONTACT_KINDS.word(contact.kind, f"{field}.kind"),
        value=contact.value,
        label=contact.label,
        is_preferred=contact.is_preferred,
        verified_at=datetime_of(contact.verify_time, f"{field}.verify_time")
        if contact.HasField("verify_time")
        else None,
        type=CONTACT_TYPES.optional(contact.type),
    )


def occasion_of(occasion: pb.Occasion, field: str) -> Occasion:
    """Return the occasion in a message, without an id. Raises INVALID below `field`."""
    day = occasion.date
    return Occasion(
        occasion_id="",
        kind=OCCASION_KINDS.word(occasion.kind, f"{field}.kind"),
        year=day.year,
        month=day.month,
        day=day.day,
        for_whom=occasion.for_whom.strip(),
        recurrence=OCCASION_RECURRENCES.optional(occasion.recurrence) or OccasionRecurrence.YEARLY,
        lead_days=occasion.lead_days if occasion.HasField("lead_days") else None,
        surprise_for_client_id=occasion.surprise_for_client_id,
        relationship_id=occasion.relationship_id,
    )


def preference_of(preference: pb.Preference, field: str) -> Preference:
    """Return the preference in a message, without an id. Raises INVALID and CURRENCY_MIXED below `field`."""
    prices = {
        name: minor_of(getattr(preference, name), f"{field}.{name}")
        for name in ("minimum_price", "maximum_price")
        if preference.HasField(name)
    }
    currencies = {currency for _, currency in prices.values()}
    if len(currencies) > 1:
        raise invalid(
            f"{field}.maximum_price.currency_code", "is not that of the minimum", reason="CURRENCY_MIXED"
        )
    return Preference(
        kind=PREFERENCE_KINDS.word(preference.kind, f"{field}.kind"),
        value=preference.value,
        source=preference.source,
        noted_on=date_of(preference.note_date, f"{field}.note_date")
        if preference.HasField("note_date")
        else None,
        finger=FINGERS.optional(preference.finger),
        size_system=SIZE_SYSTEMS.optional(preference.size_system),
        minimum_minor=prices["minimum_price"][0] if "minimum_price" in prices else None,
        maximum_minor=prices["maximum_price"][0] if "maximum_price" in prices else None,
        currency_code=next(iter(currencies), ""),
    )


def address_of(request: pb.CreateClientRequest | pb.Client) -> PostalAddress | None:
    """Return the address in a message, None where it has none."""
    if not request.HasField("address"):
        return None
    address = request.address
    return PostalAddress(
        tuple(address.lines), address.locality, address.region, address.postal_code, address.country
    )


def client_message(client: Client) -> pb.Client:
    """Return a client as the contract spells it."""
    return pb.Client(
        client_id=client.client_id,
        given_name=client.given_name,
        family_name=client.family_name,
        language=client.language,
        time_zone=client.time_zone,
        home_store_id=client.home_store_id,
        associate_id=client.associate_id,
        contact_points=[
            pb.ContactPoint(
                contact_point_id=contact.contact_point_id,
                kind=CONTACT_KINDS.number(contact.kind),
                value=contact.value,
                label=contact.label,
                is_preferred=contact.is_preferred,
                verify_time=timestamp_of(contact.verified_at),
                type=CONTACT_TYPES.number(contact.type),
            )
            for contact in client.contact_points
        ],
        occasions=[
            pb.Occasion(
                occasion_id=occasion.occasion_id,
                kind=OCCASION_KINDS.number(occasion.kind),
                date=Date(year=occasion.year, month=occasion.month, day=occasion.day),
                for_whom=occasion.for_whom,
                recurrence=OCCASION_RECURRENCES.number(occasion.recurrence),
                lead_days=occasion.lead_days,
                surprise_for_client_id=occasion.surprise_for_client_id,
                relationship_id=occasion.relationship_id,
            )
            for occasion in client.occasions
        ],
        preferences=[
            pb.Preference(
                kind=PREFERENCE_KINDS.number(preference.kind),
                value=preference.value,
                source=preference.source,
                note_date=proto_date_of(preference.noted_on),
                preference_id=preference.preference_id,
                finger=FINGERS.number(preference.finger),
                size_system=SIZE_SYSTEMS.number(preference.size_system),
                minimum_price=_price(preference.minimum_minor, preference.currency_code),
                maximum_price=_price(preference.maximum_minor, preference.currency_code),
            )
            for preference in client.preferences
        ],
        source=client.source,
        external_id=client.external_id,
        create_time=timestamp_of(client.created_at),
        update_time=timestamp_of(client.updated_at),
        etag=client.etag,
        secondary_associate_id=client.secondary_associate_id,
        nickname=client.nickname,
        tags=client.tags,
        address=_address_message(client.address),
        derived_time_zone=derived_time_zone(client),
        relationships=[
            pb.Relationship(
                relationship_id=relationship.relationship_id,
                kind=RELATIONSHIP_KINDS.number(relationship.kind),
                related_client_id=relationship.related_client_id,
                given_name=relationship.given_name,
                family_name=relationship.family_name,
                note=relationship.note,
            )
            for relationship in client.relationships
        ],
        former_client_ids=client.former_client_ids,
    )


def _price(minor: int | None, currency_code: str) -> Money | None:
    return None if minor is None else money_of(minor, currency_code)


def _address_message(address: PostalAddress | None) -> pb.PostalAddress | None:
    if address is None:
        return None
    return pb.PostalAddress(
        lines=address.lines,
        locality=address.locality,
        region=address.region,
        postal_code=address.postal_code,
        country=address.country,
    )
