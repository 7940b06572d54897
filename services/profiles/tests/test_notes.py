"""Notes through the real server: shared with the house, or their author's alone, whoever asks and however."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from carnet.profiles.v1 import profiles_pb2 as pb
from carnet.profiles.v1 import records_pb2 as rec
from google.type.date_pb2 import Date

from chassis.errors import Kind, ServiceError

PRIVATE, SHARED = rec.NOTE_VISIBILITY_PRIVATE, rec.NOTE_VISIBILITY_SHARED
TODAY = Date(year=2026, month=3, day=10)


async def write(house: Any, client_id: str, text: str = "Likes sapphires.", **fields: Any) -> rec.Note:
    return await house.records.CreateNote(rec.CreateNoteRequest(client_id=client_id, text=text, **fields))


async def change(house: Any, note_id: str, text: str, **fields: Any) -> rec.Note:
    return await house.records.UpdateNote(rec.UpdateNoteRequest(note_id=note_id, text=text, **fields))


async def remove(house: Any, note_id: str) -> None:
    await house.records.DeleteNote(rec.DeleteNoteRequest(note_id=note_id))


async def read(house: Any, client_id: str, **fields: Any) -> list[str]:
    found = await house.records.ListNotes(rec.ListNotesRequest(client_id=client_id, **fields))
    return [note.text for note in found.notes]


async def lines(house: Any, client_id: str, **fields: Any) -> list[str]:
    return await house.timeline(client_id, kinds=[pb.TIMELINE_KIND_NOTE], **fields)


async def test_a_shared_note_is_everybodys_and_its_line_tells_no_word_of_it(house: Any) -> None:
    client = (await house.client()).client_id
    house.act_as(associate_id=house.ana)
    note = await write(house, client, "  Likes sapphires.  ")
    assert (note.text, note.visibility, note.author) == ("Likes sapphires.", SHARED, house.ana)
    house.act_as(associate_id=house.ben)
    assert await read(house, client) == ["Likes sapphires."]
    assert await lines(house, client) == ["Wrote a note"]


async def test_a_private_note_is_its_authors_and_leaves_no_trace(house: Any) -> None:
    client = (await house.client()).client_id
    house.act_as(associate_id=house.ana)
    note = await write(house, client, "Owes me a coffee.", visibility=PRIVATE)
    assert await read(house, client) == ["Owes me a coffee."]
    assert await lines(house, client) == []
    for others in (
        {"associate_id": house.ben},
        {"role": "manager", "associate_id": house.ben},
        {"role": "admin", "actor_id": "usr_boss"},
    ):
        house.act_as(**others)
        assert await read(house, client) == []
        for attempt in (change(house, note.note_id, "x"), remove(house, note.note_id)):
            with pytest.raises(ServiceError) as refused:
                await attempt
            assert refused.value.reason == "NOTE_NOT_FOUND"


async def test_who_is_no_associate_writes_as_user_or_key(house: Any) -> None:
    client = (await house.client()).client_id
    house.act_as(actor_id="key_till")
    assert (await write(house, client, visibility=PRIVATE)).author == "key_till"
    house.act_as(actor_id="key_other")
    assert await read(house, client) == []


async def test_only_the_author_changes_a_note(house: Any) -> None:
    client = (await house.client()).client_id
    house.act_as(associate_id=house.ana)
    note = await write(house, client)
    house.act_as(associate_id=house.ben)
    for attempt in (change(house, note.note_id, "x"), remove(house, note.note_id)):
        with pytest.raises(ServiceError) as refused:
            await attempt
        assert (refused.value.kind, refused.value.reason) == (Kind.FORBIDDEN, "NOTE_OF_SOMEBODY_ELSE")
    house.act_as(associate_id=house.ana)
    changed = await change(house, note.note_id, "Likes rubies.", etag="v1")
    assert (changed.text, changed.visibility, changed.etag) == ("Likes rubies.", SHARED, "v2")
    with pytest.raises(ServiceError) as stale:
        await change(house, note.note_id, "Likes opals.", etag="v1")
    assert (stale.value.kind, stale.value.reason) == (Kind.CONFLICT, "NOTE_CHANGED")
    assert (await change(house, note.note_id, "Likes rubies.")).etag == "v2"


async def test_a_line_comes_and_goes_with_what_everybody_may_know(house: Any) -> None:
    client = (await house.client()).client_id
    note = await write(house, client)
    house.clock.advance(timedelta(seconds=30))
    withdrawn = await change(house, note.note_id, "For me.", visibility=PRIVATE)
    assert withdrawn.update_time.ToDatetime() - withdrawn.create_time.ToDatetime() == timedelta(seconds=30)
    assert await lines(house, client) == []
    await change(house, note.note_id, "For all.", visibility=SHARED)
    assert await lines(house, client) == ["Wrote a note"]
    await remove(house, note.note_id)
    assert await lines(house, client) == []
    assert await read(house, client) == []


async def test_a_note_that_is_a_surprise_is_not_in_answers_about_the_one(house: Any) -> None:
    wife, husband = (await house.client()).client_id, (await house.client()).client_id
    surprise = {"surprise_for_client_id": wife, "surprise_end_date": TODAY}
    await write(house, wife, "He plans a party.", **surprise)
    await write(house, husband, "Plans a party for her.", **surprise)
    assert await read(house, wife) == []
    assert await lines(house, wife) == []
    assert await read(house, wife, include_surprises=True) == ["He plans a party."]
    assert await read(house, husband) == ["Plans a party for her."]
    house.clock.advance(timedelta(days=1))
    house.act_as()
    assert await read(house, wife) == ["He plans a party."]


async def test_a_note_is_written_once_however_often_it_is_sent(house: Any) -> None:
    client = (await house.client()).client_id
    sent = await asyncio.gather(*(write(house, client, request_id="phone-1") for _ in range(20)))
    assert len({note.note_id for note in sent}) == 1
    assert len(await read(house, client)) == 1
    assert len(await lines(house, client)) == 1


async def test_notes_are_listed_newest_first_and_paged_without_those_of_others(house: Any) -> None:
    client = (await house.client()).client_id
    for number in range(6):
        house.act_as(associate_id=house.ana if number % 3 else house.ben)
        await write(house, client, f"{number}", visibility=PRIVATE)
        house.clock.advance(timedelta(seconds=1))
    house.act_as(associate_id=house.ana)
    first = await house.records.ListNotes(rec.ListNotesRequest(client_id=client, page_size=3))
    assert [note.text for note in first.notes] == ["5", "4", "2"]
    assert await read(house, client, page_token=first.next_page_token) == ["1"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": " \n "}, "text"),
        ({"text": "x" * 4001}, "text"),
        ({"surprise_end_date": TODAY}, "surprise_end_date"),
    ],
)
async def test_a_note_that_cannot_be_names_the_field(house: Any, fields: dict[str, Any], field: str) -> None:
    client = (await house.client()).client_id
    with pytest.raises(ServiceError) as refused:
        await write(house, client, **fields)
    assert refused.value.reason == "FIELD_INVALID"
    assert [one.field for one in refused.value.violations] == [field]


async def test_another_chains_note_is_not_there(house: Any, other_house: Any) -> None:
    house.act_as()
    client = (await house.client()).client_id
    note = await write(house, client)
    other_house.act_as()
    for attempt, reason in (
        (change(house, note.note_id, "x"), "NOTE_NOT_FOUND"),
        (remove(house, note.note_id), "NOTE_NOT_FOUND"),
        (read(house, client), "CLIENT_NOT_FOUND"),
        (write(house, client), "CLIENT_NOT_FOUND"),
    ):
        with pytest.raises(ServiceError) as refused:
            await attempt
        assert refused.value.reason == reason


async def test_a_merged_id_leads_to_the_survivors_notes(house: Any, merged: Any, looks: Any) -> None:
    survivor = (await house.client()).client_id
    await merged(house, "cli_before", survivor)
    note = await write(house, "cli_before", surprise_for_client_id="cli_before")
    assert (note.client_id, note.surprise_for_client_id) == (survivor, survivor)
    assert await read(house, "cli_before") == []
    assert "ListNotes" in {action for action, _ in await looks(house, survivor)}
