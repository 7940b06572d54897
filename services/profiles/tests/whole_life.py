"""A client of whom the house keeps everything that it can keep, with words that can be looked for afterwards."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
from carnet.profiles.v1 import profiles_pb2 as pb
from carnet.profiles.v1 import records_pb2 as rec
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money

from chassis.grpc_errors import error_of
from chassis.ids import new_id

PHONE, EMAIL, SOURCE, EXTERNAL_ID = "+12025550143", "Zenobia.Quill@maison.example", "pos", "Z-4711"
PICTURE = b"\x89PNG\r\n\x1a\n" + b"the ring on a cushion" * 40
# Each stands in one place at least, and in nobody else's record.
SECRETS = (
    "zenobia", "quill", "2025550143", "z-4711", "larkspur lane", "allergic to nickel", "bespoke bezel", "whispered",
    "sn-zeta-9", "engraved zq forever", "her mother", "hairline crack", "swapped for love", "grail piece",
)  # fmt: skip


@dataclass(frozen=True)
class Life:
    """The ids that a test asks for."""

    client_id: str
    spouse_id: str
    purchase_id: str
    consent_id: str
    repair_id: str
    attachment_id: str


def piece(**fields: str) -> pb.Piece:
    """Return a piece with words that tell whose it is."""
    words = {
        "reference": "RZ1",
        "serial": "SN-ZETA-9",
        "category": "ring",
        "description": "engraved ZQ forever",
    }
    return pb.Piece(**words | {"metal": "platinum", "stone": "sapphire"} | fields)


async def record_whole_life(house: Any, *, is_repair_done: bool = True) -> Life:
    """Record a client with a husband, and everything there is to record of her."""
    spouse = await house.client_with_phone("+12025550144", given_name="Otto", family_name="Berg")
    client = await house.client(
        given_name="Zenobia", family_name="Quill", nickname="Quillie", associate_id=house.ana,
        source=SOURCE, external_id=EXTERNAL_ID, tags=["whispered"],
        address=pb.PostalAddress(lines=["12 Larkspur Lane"], locality="Albany", region="NY", postal_code="12203"),
        contact_points=[
            pb.ContactPoint(kind=pb.CONTACT_KIND_PHONE, value=PHONE),
            pb.ContactPoint(kind=pb.CONTACT_KIND_EMAIL, value=EMAIL),
        ],
        occasions=[pb.Occasion(kind=pb.OCCASION_KIND_BIRTHDAY, date=Date(year=1980, month=5, day=4))],
        preferences=[pb.Preference(kind=pb.PREFERENCE_KIND_OTHER, value="allergic to nickel")],
    )  # fmt: skip
    client_id = client.client_id
    client = await house.stub.AddRelationship(
        pb.AddRelationshipRequest(
            client_id=client_id,
            relationship=pb.Relationship(
                kind=pb.RELATIONSHIP_KIND_SPOUSE, related_client_id=spouse.client_id, note="whispered"
            ),
        )
    )
    related = client.relationships[0].relationship_id
    await house.stub.AddOccasion(  # her birthday, as he keeps it; and his surprise for her
        pb.AddOccasionRequest(
            client_id=spouse.client_id,
            occasion=pb.Occasion(
                kind=pb.OCCASION_KIND_BIRTHDAY, date=Date(year=1980, month=5, day=4), relationship_id=related
            ),
        )
    )
    await house.stub.AddOccasion(
        pb.AddOccasionRequest(
            client_id=spouse.client_id,
            occasion=pb.Occasion(
                kind=pb.OCCASION_KIND_ANNIVERSARY,
                date=Date(year=2010, month=6, day=9),
                surprise_for_client_id=client_id,
            ),
        )
    )
    purchase = await house.stub.RecordPurchase(
        pb.RecordPurchaseRequest(
            client_id=client_id, store_id=house.store_id, purchase_date=Date(year=2026, month=3, day=1),
            lines=[pb.PurchaseLine(piece=piece(certificate="bespoke bezel"), quantity=1, amount=usd(9000))],
            for_whom="her mother", occasion_kind=pb.OCCASION_KIND_BIRTHDAY, source=SOURCE, external_id="inv-1",
            payments=[pb.Payment(kind=pb.PAYMENT_KIND_CASH, amount=usd(9000))],
        )
    )  # fmt: skip
    await house.records.RecordReturn(
        rec.RecordReturnRequest(
            purchase_id=purchase.purchase_id, store_id=house.store_id, return_date=Date(year=2026, month=3, day=2),
            lines=[rec.ReturnLine(purchase_line=0, quantity=1, amount=usd(10))], reason="swapped for love",
        )
    )  # fmt: skip
    await house.stub.RecordPurchase(  # his, for her
        pb.RecordPurchaseRequest(
            client_id=spouse.client_id, store_id=house.store_id, purchase_date=Date(year=2026, month=3, day=3),
            lines=[pb.PurchaseLine(piece=pb.Piece(reference="GIFT"), quantity=1, amount=usd(50))],
            recipient_client_id=client_id, surprise_for_client_id=client_id,
        )
    )  # fmt: skip
    await house.stub.RecordVisit(
        pb.RecordVisitRequest(
            client_id=client_id, store_id=house.store_id, note="whispered that she wants it", companion="her mother",
            items=[pb.VisitItem(piece=piece(), is_liked=True)],
        )
    )  # fmt: skip
    phone = next(point for point in client.contact_points if point.kind == pb.CONTACT_KIND_PHONE)
    consent = await house.stub.RecordConsent(
        pb.RecordConsentRequest(
            client_id=client_id, contact_point_id=phone.contact_point_id, channel=pb.CHANNEL_SMS,
            purposes=[pb.PURPOSE_SERVICE], wording="May we write to you about repairs?", source="tablet",
        )
    )  # fmt: skip
    repair = await house.records.CreateRepair(
        rec.CreateRepairRequest(
            client_id=client_id, store_id=house.store_id, kind=rec.REPAIR_KIND_SIZING, piece=piece(),
            intake=rec.RepairIntake(visible_flaws="hairline crack", second_contact="her mother"),
        )
    )  # fmt: skip
    if is_repair_done:
        await house.records.MoveRepair(
            rec.MoveRepairRequest(repair_id=repair.repair_id, stage=rec.REPAIR_STAGE_CANCELLED)
        )
    await house.records.CreateWish(
        rec.CreateWishRequest(client_id=client_id, piece=piece(), note="grail piece")
    )
    for visibility, surprised in ((rec.NOTE_VISIBILITY_PRIVATE, ""), (rec.NOTE_VISIBILITY_SHARED, client_id)):
        await house.records.CreateNote(
            rec.CreateNoteRequest(
                client_id=client_id, text=f"whispered {'in secret' if surprised else 'to me'}", visibility=visibility,
                surprise_for_client_id=surprised,
            )
        )  # fmt: skip
    attachment = await attach(house, client_id, file_name="zenobia.png", content=PICTURE)
    return Life(
        client_id, spouse.client_id, purchase.purchase_id, consent.consent_id, repair.repair_id, attachment
    )


async def attach(house: Any, client_id: str, *, file_name: str, content: bytes) -> str:
    """Attach a picture to a client, and return its id."""
    attachment = await house.records.CreateAttachment(
        rec.CreateAttachmentRequest(
            client_id=client_id, file_name=file_name, content_type="image/png", caption="whispered"
        )
    )

    async def messages() -> AsyncIterator[Any]:
        yield rec.UploadAttachmentContentRequest(attachment_id=attachment.attachment_id, content=content)

    try:
        await house.records.UploadAttachmentContent(messages())
    except grpc.aio.AioRpcError as failure:
        raise error_of(failure) from failure
    return str(attachment.attachment_id)


def usd(units: int) -> Money:
    """Return dollars."""
    return Money(currency_code="USD", units=units)


def request_id() -> str:
    """Return an id for one request."""
    return new_id("req")
