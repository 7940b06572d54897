"""An upload that is cut goes on where its last batch ended, and comes to what it would have come to in one piece."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from carnet.profiles.v1 import events_pb2 as ev
from carnet.profiles.v1 import profiles_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st

from chassis.caller import current_caller
from chassis.errors import Kind, ServiceError
from chassis.testing import published
from profiles.domain.import_lines import Delimited, LineSplitter, Record, Refused
from profiles.suppression import Suppressor
from profiles.use_cases import imports as use_cases

Upload = Callable[..., AsyncIterator[Any]]
COLUMNS = {"id": "client_external_id", "first": "given_name", "day": "purchase_date", "paid": "amount"}
LINES = [
    "1,Ana,2024-01-01,5.00",
    '2,"Ben, ""B""\nCole",2024-01-02,6.00',
    "1,Ana,2024-01-01,5.00",  # the same again: another purchase
    "3,Zoë,2024-02-30,7.00",  # no day
    "",
    "4,\x07,2024-01-04",  # a field is missing
    '5,"Eve,2024-01-05,8.00',  # a quote is never closed
    "6,Ann,45355,9.00",
    "1,Ana,2024-01-01,5.00",
]
CONTENT = ("\ufeffid,first,day,paid\r\n" + "\r\n".join(LINES * 2) + "\r\n").encode()


class Cut(Exception):
    """The connection broke."""


async def pieces(content: bytes, *, cut: bool) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 37):
        yield content[start : start + 37]
    if cut:
        raise Cut


async def announce(house: Any, **fields: Any) -> pb.Import:
    fields = {
        "source": "pos", "format": pb.IMPORT_FORMAT_DELIMITED, "store_id": house.store_id, "columns": COLUMNS,
        **fields,
    }  # fmt: skip
    return await house.stub.CreateImport(pb.CreateImportRequest(**fields))


async def receive(house: Any, import_id: str, content: bytes, *, offset: int = 0, cut: bool = False) -> Any:
    """Take in content as the RPC does, in batches of two lines; None when it was cut."""
    try:
        return await use_cases.receive_content(
            database=house.database,
            clock=house.clock,
            caller=current_caller(),
            suppressor=Suppressor("k" * 32),
            import_id=import_id,
            offset=offset,
            chunks=pieces(content, cut=cut),
            batch_lines=2,
        )
    except Cut:
        return None


async def outcome(house: Any, import_id: str) -> tuple[Any, ...]:
    """Return everything that an import led to, without ids."""
    read = await house.stub.GetImport(pb.GetImportRequest(import_id=import_id))
    faults = await house.stub.ListImportFaults(
        pb.ListImportFaultsRequest(import_id=import_id, page_size=1000)
    )
    async with house.database.transaction(house.chain_id) as tx:
        purchases = await tx.execute(
            "select c.external_id, c.given_name, p.external_id, p.total_minor from purchases p join clients c"
            " on c.chain_id = p.chain_id and c.client_id = p.client_id and c.source = p.source"
            " where p.source = :source order by 1, 3",
            {"source": read.source},
        )
        rows = [tuple(row) for row in purchases]
    return (
        read.state, read.lines_read, read.lines_refused, read.clients_created, read.clients_updated,
        read.purchases_created, read.purchases_unchanged, read.bytes_received, read.resume_offset,
        [(one.line, one.field, one.reason, one.message) for one in faults.faults], rows,
    )  # fmt: skip


@pytest.mark.parametrize(("encoding", "step"), [("utf-8", 47), ("cp1252", 97), ("utf-16", 191)])
async def test_a_file_that_is_cut_anywhere_and_resumed_comes_to_the_same(
    house: Any, encoding: str, step: int
) -> None:
    content = CONTENT.decode("utf-8-sig").encode(encoding)
    whole = await announce(house)
    await receive(house, whole.import_id, content)
    expected = await outcome(house, whole.import_id)
    assert expected[5] > 5
    for number, cut_at in enumerate(range(1, len(content), step)):
        announced = await announce(house, source=f"pos{number}")
        assert await receive(house, announced.import_id, content[:cut_at], cut=True) is None
        read = await house.stub.GetImport(pb.GetImportRequest(import_id=announced.import_id))
        assert read.state == pb.IMPORT_STATE_RUNNING
        assert read.resume_offset <= cut_at
        rest = content[read.resume_offset :]
        assert await receive(house, announced.import_id, rest, offset=read.resume_offset) is not None
        assert await outcome(house, announced.import_id) == expected, cut_at


async def test_a_file_that_is_cut_again_and_again_arrives(house: Any) -> None:
    whole = await announce(house)
    await receive(house, whole.import_id, CONTENT)
    expected = await outcome(house, whole.import_id)
    announced = await announce(house, source="again")
    offset = 0
    for _ in range(8):
        await receive(house, announced.import_id, CONTENT[offset : offset + 150], offset=offset, cut=True)
        read = await house.stub.GetImport(pb.GetImportRequest(import_id=announced.import_id))
        offset = read.resume_offset
    await receive(house, announced.import_id, CONTENT[offset:], offset=offset)
    assert await outcome(house, announced.import_id) == expected


async def test_a_cut_file_may_begin_again_at_its_first_byte(house: Any) -> None:
    announced = await announce(house)
    await receive(house, announced.import_id, CONTENT[:-150], cut=True)
    done = await receive(house, announced.import_id, CONTENT)
    progress = done.progress
    assert (
        progress.lines_read
        == progress.purchases_created + progress.purchases_unchanged + progress.lines_refused
    )
    async with house.database.transaction(house.chain_id) as tx:
        once = (await tx.execute("select count(*) from purchases")).scalar_one()
    await receive(house, announced.import_id, CONTENT)
    async with house.database.transaction(house.chain_id) as tx:
        assert (await tx.execute("select count(*) from purchases")).scalar_one() == once


async def test_content_goes_on_where_it_ended_and_nowhere_else(house: Any, upload_of: Upload) -> None:
    announced = await announce(house)
    await receive(house, announced.import_id, CONTENT[:-100], cut=True)
    read = await house.stub.GetImport(pb.GetImportRequest(import_id=announced.import_id))
    assert read.resume_offset > 0

    async def from_offset(offset: int) -> AsyncIterator[pb.UploadImportContentRequest]:
        yield pb.UploadImportContentRequest(import_id=announced.import_id, offset=offset)
        yield pb.UploadImportContentRequest(content=CONTENT[offset:])

    with pytest.raises(ServiceError) as refused:
        await house.upload(from_offset(read.resume_offset - 1))
    assert (refused.value.kind, refused.value.reason) == (Kind.PRECONDITION, "IMPORT_OFFSET_WRONG")
    assert refused.value.metadata == {"resume_offset": str(read.resume_offset)}
    assert refused.value.violations[0].field == "offset"
    done = await house.upload(from_offset(read.resume_offset))
    assert (done.state, done.resume_offset, done.bytes_received) == (
        pb.IMPORT_STATE_COMPLETED, 0, len(CONTENT),
    )  # fmt: skip
    with pytest.raises(ServiceError) as over:
        await house.upload(from_offset(read.resume_offset))
    assert over.value.metadata == {"resume_offset": "0"}
    assert len(await published(house.database, ev.ImportCompleted, chain_id=house.chain_id)) == 1


async def test_lost_counters_of_equal_lines_send_the_upload_back_to_the_start(house: Any) -> None:
    announced = await announce(house)
    await receive(house, announced.import_id, CONTENT[:-100], cut=True)
    read = await house.stub.GetImport(pb.GetImportRequest(import_id=announced.import_id))
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute("delete from import_rows")  # as a crash of Postgres does
    with pytest.raises(ServiceError) as refused:
        await receive(house, announced.import_id, CONTENT[read.resume_offset :], offset=read.resume_offset)
    assert refused.value.metadata == {"resume_offset": "0"}
    again = await house.stub.GetImport(pb.GetImportRequest(import_id=announced.import_id))
    assert again.resume_offset == 0
    assert (await receive(house, announced.import_id, CONTENT)).state == "completed"


def records(content: bytes, cuts: Iterator[int]) -> list[Record | Refused]:
    """Read records from content in pieces, going on with a new reader from the end of any record that a cut hits."""
    found: list[Record | Refused] = []
    position = last = 0
    encoding = delimiter = ""
    while True:
        splitter, reader = LineSplitter(encoding, position=position, lines=last), Delimited(delimiter)
        piece = next(cuts, None)
        end = len(content) if piece is None else min(position + piece, len(content))
        lines = [*splitter.feed(content[position:end])]
        if piece is None:
            lines += splitter.end()
        read = [record for line in lines for record in reader.read(line)]
        if piece is None:
            return [*found, *read, *reader.end()]
        for record in read:
            found.append(record)
            position, last = record.end, record.last
            encoding = splitter.encoding if splitter.decided_line <= last else ""
            delimiter = reader.delimiter


@given(
    st.lists(st.sampled_from([*LINES, "ä,é", "\U0001f48d,x", '"', 'a"b'])),
    st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-be"]),
    st.lists(st.integers(1, 200), max_size=6),
)
def test_records_are_the_same_wherever_reading_goes_on(lines: list[str], codec: str, cuts: list[int]) -> None:
    content = ("id,first,day,paid\n" + "\n".join(lines)).encode(codec, "replace")
    assert records(content, iter(cuts)) == records(content, iter(()))
