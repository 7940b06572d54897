"""Facts of the domain as the events of the contract: ids, days, amounts and piece attributes, never names or words."""

from collections.abc import Iterable, Sequence
from datetime import date

from carnet.profiles.v1 import events_pb2 as ev
from google.type.date_pb2 import Date

from chassis.values import proto_date_of, timestamp_of
from profiles.domain.books import Reassignment
from profiles.domain.cash_watch import CashAlert
from profiles.domain.clients import Client, Occasion
from profiles.domain.consents import Consent
from profiles.domain.directory import Associate, Chain, Store
from profiles.domain.erasures import Erasure
from profiles.domain.imports import Import
from profiles.domain.merges import Merge
from profiles.domain.pieces import Purchase, Visit
from profiles.domain.preferences import PIECE_ATTRIBUTES
from profiles.domain.repairs import Repair
from profiles.domain.returns import Return
from profiles.domain.wishes import Wish
from profiles.time_zones import derived_time_zone
from profiles.vocabulary import (
    CHANNELS,
    OCCASION_KINDS,
    OCCASION_RECURRENCES,
    PREFERENCE_KINDS,
    PURPOSES,
    RELATIONSHIP_KINDS,
    REPAIR_KINDS,
    REPAIR_STAGES,
    WISH_STATES,
)

_PIECE_IN_FACT = frozenset({"brand_id", "reference", "category", "metal", "stone"})  # the others are words
BATCH_EVENT_SIZE = 500  # clients and purchases in one ImportBatchLanded, each; clients in one BookReassigned
_BATCH_EVENT_BYTES = 512 * 1024  # the broker takes 1 MiB, and a client may have many occasions


def chain_created(chain: Chain) -> ev.ChainCreated:
    """Say that a chain was opened."""
    return ev.ChainCreated(
        chain_id=chain.chain_id,
        country=chain.country,
        currency_code=chain.currency_code,
        time_zone=chain.time_zone,
    )


def store_created(store: Store) -> ev.StoreCreated:
    """Say that a store was opened."""
    return ev.StoreCreated(store_id=store.store_id, time_zone=store.time_zone, country=store.country)


def associate_created(associate: Associate) -> ev.AssociateCreated:
    """Say that an associate joined."""
    return ev.AssociateCreated(associate_id=associate.associate_id, store_id=associate.store_id)


def associate_changed(associate: Associate) -> ev.AssociateChanged:
    """Say that an associate left or came back."""
    return ev.AssociateChanged(
        associate_id=associate.associate_id,
        store_id=associate.store_id,
        is_active=associate.is_active,
        version=associate.version,
    )


def client_fact(client: Client) -> ev.ClientFact:
    """Return what consumers may know of a client."""
    return ev.ClientFact(
        client_id=client.client_id,
        home_store_id=client.home_store_id,
        associate_id=client.associate_id,
        language=client.language,
        time_zone=client.time_zone,
        occasions=[_occasion_fact(client, occasion) for occasion in client.occasions],
        version=client.version,
        create_time=timestamp_of(client.created_at),
        secondary_associate_id=client.secondary_associate_id,
        derived_time_zone=derived_time_zone(client),
        preferences=[
            ev.PreferenceFact(kind=PREFERENCE_KINDS.number(preference.kind), value=preference.value)
            for preference in client.preferences
            if preference.kind in PIECE_ATTRIBUTES
        ],
    )


def _occasion_fact(client: Client, occasion: Occasion) -> ev.OccasionFact:
    relationship = client.relationship(occasion.relationship_id)
    return ev.OccasionFact(
        occasion_id=occasion.occasion_id,
        kind=OCCASION_KINDS.number(occasion.kind),
        date=Date(year=occasion.year, month=occasion.month, day=occasion.day),
        recurrence=OCCASION_RECURRENCES.number(occasion.recurrence),
        lead_days=occasion.lead_days,
        surprise_for_client_id=occasion.surprise_for_client_id,
        relationship_kind=RELATIONSHIP_KINDS.number(relationship.kind if relationship else None),
        related_client_id=relationship.related_client_id if relationship else "",
    )


def client_created(client: Client) -> ev.ClientCreated:
    """Say that a client was added."""
    return ev.ClientCreated(client=client_fact(client))


def client_changed(client: Client) -> ev.ClientChanged:
    """Say that a client's own record changed."""
    return ev.ClientChanged(client=client_fact(client))


def client_assigned(client: Client, previous_associate_id: str) -> ev.ClientAssigned:
    """Say that a client moved to another book."""
    return ev.ClientAssigned(client=client_fact(client), previous_associate_id=previous_associate_id)


def book_reassigned(reassignment: Reassignment, clients: Sequence[Client]) -> list[ev.BookReassigned]:
    """Say who went to others, in as many events as the number of clients and their occasions need."""
    said: list[ev.BookReassigned] = []
    room = 0
    for fact in map(client_fact, clients):
        size = fact.ByteSize()
        if not said or len(said[-1].clients) == BATCH_EVENT_SIZE or size > room:
            said.append(
                ev.BookReassigned(
                    reassignment_id=reassignment.reassignment_id,
                    previous_associate_id=reassignment.spreading.associate_id,
                )
            )
            room = _BATCH_EVENT_BYTES
        said[-1].clients.append(fact)
        room -= size
    return said


def client_deleted(client_id: str) -> ev.ClientDeleted:
    """Say that a client was removed."""
    return ev.ClientDeleted(client_id=client_id)


def client_merged(merge: Merge, survivor: Client) -> ev.ClientMerged:
    """Say that two clients were made one."""
    return ev.ClientMerged(
        merge_id=merge.merge_id,
        client=client_fact(survivor),
        merged_client_id=merge.merged_client_id,
    )


def client_unmerged(merge: Merge, survivor: Client, restored: Client) -> ev.ClientUnmerged:
    """Say that a merge was taken back."""
    return ev.ClientUnmerged(
        merge_id=merge.merge_id, client=client_fact(survivor), restored=client_fact(restored)
    )


def purchase_fact(purchase: Purchase) -> ev.PurchaseFact:
    """Return what consumers may know of a purchase."""
    return ev.PurchaseFact(
        purchase_id=purchase.purchase_id,
        client_id=purchase.client_id,
        store_id=purchase.store_id,
        associate_id=purchase.associate_id,
        purchase_date=proto_date_of(purchase.purchased_on),
        total_minor=purchase.total_minor,
        currency_code=purchase.currency_code,
        lines=[
            ev.PurchaseLineFact(
                brand_id=line.piece.brand_id,
                reference=line.piece.reference,
                category=line.piece.category,
                metal=line.piece.metal,
                stone=line.piece.stone,
                quantity=line.quantity,
                amount_minor=line.amount_minor,
            )
            for line in purchase.lines
        ],
        occasion_kind=OCCASION_KINDS.number(purchase.occasion_kind),
        recipient_client_id=purchase.recipient_client_id,
        surprise_for_client_id=purchase.surprise.client_id,
        surprise_end_date=proto_date_of(purchase.surprise.ends_on),
    )


def purchase_recorded(purchase: Purchase) -> ev.PurchaseRecorded:
    """Say that a client bought something."""
    return ev.PurchaseRecorded(purchase=purchase_fact(purchase))


def visit_recorded(visit: Visit) -> ev.VisitRecorded:
    """Say that a client came in."""
    return ev.VisitRecorded(
        visit_id=visit.visit_id,
        client_id=visit.client_id,
        store_id=visit.store_id,
        associate_id=visit.associate_id,
        visit_time=timestamp_of(visit.visited_at),
        looked_at_count=len(visit.items),
        liked_count=visit.liked_count,
        need_by_date=proto_date_of(visit.needed_by),
        tried_on_count=visit.tried_on_count,
        occasion_kind=OCCASION_KINDS.number(visit.occasion_kind),
        recipient_client_id=visit.recipient_client_id,
        surprise_for_client_id=visit.surprise.client_id,
        surprise_end_date=proto_date_of(visit.surprise.ends_on),
    )


def return_recorded(returned: Return) -> ev.ReturnRecorded:
    """Say that pieces of a purchase came back."""
    return ev.ReturnRecorded(
        return_id=returned.return_id,
        purchase_id=returned.purchase_id,
        client_id=returned.client_id,
        store_id=returned.store_id,
        return_date=proto_date_of(returned.returned_on),
        total_minor=returned.total_minor,
        currency_code=returned.currency_code,
        exchange_purchase_id=returned.exchange_purchase_id,
    )


def cash_alert_raised(alert: CashAlert) -> ev.CashAlertRaised:
    """Say that payments in cash reached a limit."""
    return ev.CashAlertRaised(
        cash_alert_id=alert.cash_alert_id, client_id=alert.client_id, store_id=alert.store_id
    )


def repair_moved(repair: Repair) -> ev.RepairMoved:
    """Say that a repair was taken in, moved, or promised for another day."""
    return ev.RepairMoved(
        repair_id=repair.repair_id,
        client_id=repair.client_id,
        store_id=repair.store_id,
        kind=REPAIR_KINDS.number(repair.kind),
        stage=REPAIR_STAGES.number(repair.stage),
        promise_date=proto_date_of(repair.promised_on),
        version=repair.version,
        surprise_for_client_id=repair.surprise.client_id,
        surprise_end_date=proto_date_of(repair.surprise.ends_on),
    )


def wish_fact(wish: Wish) -> ev.WishFact:
    """Return what consumers may know of a wish."""
    return ev.WishFact(
        wish_id=wish.wish_id,
        client_id=wish.client_id,
        state=WISH_STATES.number(wish.outcome.state),
        is_surprise=wish.outcome.is_surprise,
        surprise_end_date=proto_date_of(wish.outcome.ends_on),
        version=wish.version,
        bought_by_client_id=wish.outcome.bought_by_client_id,
        brand_id=wish.piece.brand_id,
        reference=wish.piece.reference,
        category=wish.piece.category,
        metal=wish.piece.metal,
        stone=wish.piece.stone,
    )


def wish_added(wish: Wish) -> ev.WishAdded:
    """Say that a client wished for a piece."""
    return ev.WishAdded(wish=wish_fact(wish))


def wish_changed(wish: Wish) -> ev.WishChanged:
    """Say that something became of a wish."""
    return ev.WishChanged(wish=wish_fact(wish))


def wish_removed(wish: Wish) -> ev.WishRemoved:
    """Say that a wish was taken off the list."""
    return ev.WishRemoved(wish_id=wish.wish_id, client_id=wish.client_id)


def consent_captured(consent: Consent) -> ev.ConsentCaptured:
    """Say that a client agreed to be written to."""
    return ev.ConsentCaptured(
        consent_id=consent.consent_id,
        client_id=consent.client_id,
        contact_point_id=consent.contact_point_id,
        channel=CHANNELS.number(consent.channel),
        purposes=[PURPOSES.number(purpose) for purpose in consent.purposes],
        capture_time=timestamp_of(consent.captured_at),
    )


def imported_purchase_facts(
    store_id: str,
    piece_fields: Sequence[str],
    purchases: Iterable[tuple[str, str, date, int, str, Sequence[tuple[int, int, Sequence[str]]]]],
) -> list[ev.PurchaseFact]:
    """Return what consumers may know of purchases that a file brought.

    Each is its id, client, day, total and currency, with lines of quantity, amount and `piece_fields`.
    """
    said = [(index, name) for index, name in enumerate(piece_fields) if name in _PIECE_IN_FACT]
    return [
        ev.PurchaseFact(
            purchase_id=purchase_id,
            client_id=client_id,
            store_id=store_id,
            purchase_date=Date(year=day.year, month=day.month, day=day.day),
            total_minor=total_minor,
            currency_code=currency_code,
            lines=[
                ev.PurchaseLineFact(
                    quantity=quantity,
                    amount_minor=amount_minor,
                    **{name: piece[index] for index, name in said},
                )
                for quantity, amount_minor, piece in lines
            ],
        )
        for purchase_id, client_id, day, total_minor, currency_code, lines in purchases
    ]


def batches_landed(
    import_id: str, clients: Sequence[ev.ClientFact], purchases: Sequence[ev.PurchaseFact]
) -> list[ev.ImportBatchLanded]:
    """Say that a piece of an import is in, in as many events as its size needs; in none when nothing is new."""
    return [
        ev.ImportBatchLanded(
            import_id=import_id,
            clients=clients[start : start + BATCH_EVENT_SIZE],
            purchases=purchases[start : start + BATCH_EVENT_SIZE],
        )
        for start in range(0, max(len(clients), len(purchases)), BATCH_EVENT_SIZE)
    ]


def import_completed(finished: Import) -> ev.ImportCompleted:
    """Say that an import is through."""
    return ev.ImportCompleted(
        import_id=finished.import_id,
        clients_created=finished.progress.clients_created,
        purchases_created=finished.progress.purchases_created,
    )


def client_erased(erasure: Erasure) -> ev.ClientErased:
    """Say that a person asked to be forgotten."""
    return ev.ClientErased(
        erasure_id=erasure.erasure_id,
        client_id=erasure.client_id,
        former_client_ids=erasure.former_client_ids,
    )
