"""Files of purchases and clients, through the real server."""

from collections.abc import Callable
from typing import Any

from carnet.profiles.v1 import profiles_pb2 as pb

CDNOW = {
    "customer_id": "client_external_id",
    "date": "purchase_date",
    "number_of_cds": "quantity",
    "dollar_value": "amount",
}


async def announce(house: Any, *, columns: dict[str, str], **fields: Any) -> pb.Import:
    fields = {
        "source": "pos", "format": pb.IMPORT_FORMAT_DELIMITED, "store_id": house.store_id,
        "associate_ids": [house.ana, house.ben], **fields,
    }  # fmt: skip
    return await house.stub.CreateImport(pb.CreateImportRequest(columns=columns, **fields))


async def test_a_file_of_purchases_becomes_clients_purchases_and_timelines(
    house: Any, upload_of: Callable[..., Any]
) -> None:
    content = b" customer_id date number_of_cds dollar_value\r\n 00001 19970101  1   11.77\r\n 00001 19970113  2   77.00\r\n"
    announced = await announce(house, columns=CDNOW, delimiter=" ")
    done = await house.stub.UploadImportContent(upload_of(announced.import_id, content, chunk=7))
    assert (done.state, done.lines_read, done.clients_created, done.purchases_created) == (
        pb.IMPORT_STATE_COMPLETED, 2, 1, 2,
    )  # fmt: skip
    listed = await house.stub.ListClients(pb.ListClientsRequest())
    assert await house.timeline(listed.clients[0].client_id, kinds=[pb.TIMELINE_KIND_PURCHASE]) == [
        "Bought 2 pieces for USD 77.00",
        "Bought 1 piece for USD 11.77",
    ]
