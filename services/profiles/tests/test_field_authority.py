"""Who may overwrite what: what a person wrote is never silently gone, and of two systems the first named wins."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from carnet.profiles.v1 import events_pb2 as ev
from carnet.profiles.v1 import profiles_pb2 as pb
from carnet.profiles.v1 import sync_pb2
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.date_pb2 import Date

from chassis.errors import Kind, ServiceError
from chassis.testing import published

Upload = Callable[..., AsyncIterator[Any]]
COLUMNS = {
    "id": "client_external_id", "first": "given_name", "last": "family_name", "tel": "phone", "born": "birthday",
    "street": "address_line_1", "city": "locality", "tags": "tags", "who": "associate_email",
    "metal": "preferred_metal",
}  # fmt: skip
ADMIN = "usr_test"  # who signs in to a house
HEADER = "id,first,last,tel,born,street,city,tags,who,metal\n"
FIRST = "1,Ana,Diaz,+12025550101,1980-05-01,1 Main St,Boston,VIP,ana@maison.example,gold\n"


async def send(house: Any, upload_of: Upload, lines: str, *, source: str = "pos", **fields: Any) -> pb.Import:
    fields = {
        "source": source, "format": pb.IMPORT_FORMAT_DELIMITED, "store_id": house.store_id, "columns": COLUMNS,
        **fields,
    }  # fmt: skip
    announced = await house.stub.CreateImport(pb.CreateImportRequest(**fields))
    done = await house.upload(upload_of(announced.import_id, (HEADER + lines).encode()))
    assert done.lines_refused == 0
    return done


async def landed(house: Any, upload_of: Upload) -> pb.Client:
    await send(house, upload_of, FIRST)
    (client,) = (await house.stub.ListClients(pb.ListClientsRequest())).clients
    return client


async def read(house: Any, client_id: str) -> pb.Client:
    return await house.stub.GetClient(pb.GetClientRequest(client_id=client_id))


async def change(house: Any, client_id: str, **fields: Any) -> pb.Client:
    return await house.stub.UpdateClient(
        pb.UpdateClientRequest(
            client_id=client_id, client=pb.Client(**fields), update_mask=FieldMask(paths=list(fields))
        )
    )


async def conflicts(house: Any, **fields: Any) -> list[sync_pb2.FieldConflict]:
    answer = await house.sync.ListFieldConflicts(sync_pb2.ListFieldConflictsRequest(**fields))
    return list(answer.field_conflicts)


async def rule(house: Any, *rules: tuple[str, str, int], etag: str = "") -> sync_pb2.FieldAuthority:
    return await house.sync.UpdateFieldAuthority(
        sync_pb2.UpdateFieldAuthorityRequest(
            rules=[sync_pb2.FieldRule(source=source, field=name, rule=kind) for source, name, kind in rules],
            etag=etag,
        )
    )


async def settle(house: Any, conflict_id: str, *, is_taken: bool) -> sync_pb2.FieldConflict:
    return await house.sync.SettleFieldConflict(
        sync_pb2.SettleFieldConflictRequest(field_conflict_id=conflict_id, is_taken=is_taken)
    )


def told(found: Sequence[sync_pb2.FieldConflict]) -> list[tuple[str, str, str, str]]:
    return sorted((one.field, one.current_value, one.offered_value, one.source) for one in found)


async def test_a_system_corrects_its_own_word_and_says_so(house: Any, upload_of: Upload) -> None:
    client = await landed(house, upload_of)
    line = "1,Anna,,+12025550102,1980-05-02,2 Main St,Boston,vip;opals,ben@maison.example,gold;platinum\n"
    done = await send(house, upload_of, line)
    assert (done.clients_created, done.clients_updated, done.conflicts) == (0, 1, 0)
    now = await read(house, client.client_id)
    assert (now.given_name, now.family_name, now.address.lines[0]) == ("Anna", "Diaz", "2 Main St")
    assert [one.value for one in now.contact_points] == ["+12025550101", "+12025550102"]
    assert (now.occasions[0].date.day, len(now.occasions), list(now.tags)) == (2, 1, ["VIP", "opals"])
    assert [one.value for one in now.preferences] == ["gold", "platinum"]
    assert now.associate_id == house.ben
    events = await published(house.database, ev.ImportBatchLanded, chain_id=house.chain_id)
    (fact,) = events[-1].clients
    assert (fact.client_id, fact.version, fact.associate_id, fact.occasions[0].date.day) == (
        client.client_id, 2, house.ben, 2,
    )  # fmt: skip
    assignments = await house.stub.ListAssignments(pb.ListAssignmentsRequest(client_id=client.client_id))
    assert [one.reason for one in assignments.assignments] == [pb.ASSIGNMENT_REASON_IMPORTED] * 2
    assert (await send(house, upload_of, line)).clients_updated == 0


async def test_what_an_associate_wrote_stays_and_the_other_value_is_kept_once(
    house: Any, upload_of: Upload
) -> None:
    client = await landed(house, upload_of)
    await change(house, client.client_id, given_name="Anita", address=pb.PostalAddress(lines=["9 Elm St"]))
    for _ in range(2):
        done = await send(house, upload_of, FIRST)
        assert (done.clients_updated, done.conflicts) == (0, 2)
    now = await read(house, client.client_id)
    assert (now.given_name, now.address.lines[0]) == ("Anita", "9 Elm St")
    found = await conflicts(house, client_id=client.client_id)
    assert told(found) == [
        ("address", "9 Elm St\n\n\n\nUS", "1 Main St\nBoston\n\n\nUS", "pos"), ("given_name", "Anita", "Ana", "pos"),
    ]  # fmt: skip
    assert {one.state for one in found} == {sync_pb2.FIELD_CONFLICT_STATE_OPEN}
    await send(house, upload_of, FIRST.replace("Ana", "Annie"))
    assert {one.offered_value for one in await conflicts(house) if one.field == "given_name"} == {
        "Ana",
        "Annie",
    }


async def test_a_value_that_a_person_took_away_does_not_come_back(house: Any, upload_of: Upload) -> None:
    client = await landed(house, upload_of)
    await house.stub.RemoveContactPoint(
        pb.RemoveContactPointRequest(
            client_id=client.client_id, contact_point_id=client.contact_points[0].contact_point_id
        )
    )
    await house.stub.RemoveOccasion(
        pb.RemoveOccasionRequest(client_id=client.client_id, occasion_id=client.occasions[0].occasion_id)
    )
    await house.stub.RemovePreference(
        pb.RemovePreferenceRequest(
            client_id=client.client_id, preference_id=client.preferences[0].preference_id
        )
    )
    await change(house, client.client_id, family_name="", tags=["opals"])
    done = await send(house, upload_of, FIRST)
    assert (done.clients_updated, done.conflicts) == (0, 4)
    now = await read(house, client.client_id)
    assert (now.family_name, list(now.tags), len(now.preferences)) == ("", ["opals"], 0)
    assert not now.contact_points
    assert not now.occasions
    assert told(await conflicts(house)) == [
        ("birthday", "", "1980-05-01", "pos"), ("family_name", "", "Diaz", "pos"),
        ("phone", "", "+12025550101", "pos"), ("tags", "", "VIP", "pos"),
    ]  # fmt: skip
    for conflict in await conflicts(house):
        await settle(house, conflict.field_conflict_id, is_taken=True)
    now = await read(house, client.client_id)
    assert (now.family_name, list(now.tags), now.contact_points[0].value) == (
        "Diaz", ["opals", "VIP"], "+12025550101",
    )  # fmt: skip
    assert now.occasions[0].date == Date(year=1980, month=5, day=1)
    assert not (await send(house, upload_of, FIRST)).conflicts


async def test_a_book_that_a_person_chose_is_not_changed_by_a_file(house: Any, upload_of: Upload) -> None:
    client = await landed(house, upload_of)
    assert client.associate_id == house.ana
    await house.stub.AssignClient(pb.AssignClientRequest(client_id=client.client_id, associate_id=house.ben))
    assert (await send(house, upload_of, FIRST)).conflicts == 1
    assert (await read(house, client.client_id)).associate_id == house.ben
    (conflict,) = await conflicts(house)
    assert (conflict.field, conflict.offered_value) == ("associate_id", house.ana)
    await settle(house, conflict.field_conflict_id, is_taken=True)
    assert (await read(house, client.client_id)).associate_id == house.ana


async def test_a_system_whose_word_counts_overwrites_and_the_persons_word_is_kept(
    house: Any, upload_of: Upload
) -> None:
    client = await landed(house, upload_of)
    await rule(house, ("pos", "given_name", sync_pb2.AUTHORITY_RULE_OVERWRITE))
    await change(house, client.client_id, given_name="Anita", family_name="Díaz")
    done = await send(house, upload_of, FIRST)
    assert (done.clients_updated, done.conflicts) == (1, 1)
    now = await read(house, client.client_id)
    assert (now.given_name, now.family_name) == ("Ana", "Díaz")
    found = {one.field: one for one in await conflicts(house)}
    assert (found["given_name"].current_value, found["given_name"].offered_value, found["given_name"].source) == (
        "Ana", "Anita", ADMIN,
    )  # fmt: skip
    assert found["given_name"].current_writer == "pos"
    assert (await send(house, upload_of, FIRST)).clients_updated == 0
    await settle(house, found["given_name"].field_conflict_id, is_taken=True)
    assert (await read(house, client.client_id)).given_name == "Anita"
    await rule(house)
    assert (await send(house, upload_of, FIRST)).clients_updated == 0  # Anita is a person's word again


async def test_what_is_ignored_is_not_even_taken_for_somebody_new(house: Any, upload_of: Upload) -> None:
    ignore = sync_pb2.AUTHORITY_RULE_IGNORE
    await rule(house, ("pos", "phone", ignore), ("pos", "tags", ignore), ("pos", "associate_id", ignore))
    client = await landed(house, upload_of)
    assert not client.contact_points
    assert not client.tags
    assert not client.associate_id
    assert client.occasions
    await rule(house, ("pos", "*", ignore))
    await send(house, upload_of, "2,Ben,Cole,+12025550102,1980-01-01,x,y,z,ben@maison.example,gold\n")
    other = (await house.stub.ListClients(pb.ListClientsRequest())).clients[0]
    assert (other.external_id, other.given_name, other.address.locality) == ("2", "", "")
    assert [*other.contact_points, *other.occasions, *other.preferences, other.associate_id] == [""]


async def test_of_two_systems_the_one_that_stands_first_wins(house: Any, upload_of: Upload) -> None:
    client = await house.client_with_phone("+12025550101", source="erp", external_id="e1")
    columns = {name: COLUMNS[name] for name in ("first", "last", "tel")}

    async def offer(source: str, name: str) -> tuple[int, int]:
        announced = await house.stub.CreateImport(
            pb.CreateImportRequest(
                source=source, format=pb.IMPORT_FORMAT_DELIMITED, store_id=house.store_id, columns=columns
            )
        )
        done = await house.upload(
            upload_of(announced.import_id, f"first,last,tel\n{name},,+12025550101\n".encode())
        )
        assert done.clients_created == 0
        return done.clients_updated, done.conflicts

    # The phone is all that tells who it is; a name that contradicted would be somebody else's.
    assert await offer("pos", "Ana") == (1, 0)
    fill = sync_pb2.AUTHORITY_RULE_FILL
    await rule(house, ("erp", "*", fill), ("pos", "*", fill))
    announced = await house.stub.CreateImport(
        pb.CreateImportRequest(
            source="erp", format=pb.IMPORT_FORMAT_DELIMITED, store_id=house.store_id, columns=COLUMNS
        )
    )
    line = "e1,Anna,,,,,,,,\n"
    done = await house.upload(upload_of(announced.import_id, (HEADER + line).encode()))
    assert (done.clients_updated, done.conflicts) == (1, 0)
    assert (await read(house, client.client_id)).given_name == "Anna"
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute("update client_external_ids set external_id = 'p1' where source = 'pos'")
    done = await send(house, upload_of, "p1,Ana,,,,,,,,\n")
    assert (done.clients_updated, done.conflicts) == (0, 1)
    assert told(await conflicts(house)) == [("given_name", "Anna", "Ana", "pos")]


async def test_a_client_whom_a_person_brought_is_a_persons_word(house: Any, upload_of: Upload) -> None:
    client = await house.client_with_phone("+12025550101", given_name="Ana")
    columns = {name: COLUMNS[name] for name in ("first", "last", "tel", "tags", "born")}
    announced = await house.stub.CreateImport(
        pb.CreateImportRequest(
            source="pos", format=pb.IMPORT_FORMAT_DELIMITED, store_id=house.store_id, columns=columns
        )
    )
    content = b"first,last,tel,tags,born\nANA,Diaz,+12025550101,VIP,1980-01-01\n"
    done = await house.upload(upload_of(announced.import_id, content))
    assert (done.clients_created, done.clients_updated, done.conflicts) == (0, 1, 1)
    now = await read(house, client.client_id)
    assert (now.given_name, now.family_name, list(now.tags), len(now.occasions)) == (
        "Ana",
        "Diaz",
        ["VIP"],
        1,
    )


async def test_an_imported_client_who_is_changed_while_a_file_lands_keeps_the_persons_word(
    house: Any, upload_of: Upload
) -> None:
    client = await landed(house, upload_of)
    lines = [FIRST.replace("Ana,Diaz", f"Ana{number},Diaz") for number in range(12)]
    await asyncio.gather(
        *(change(house, client.client_id, given_name="Anita") for _ in range(8)),
        *(send(house, upload_of, line) for line in lines),
    )
    await send(house, upload_of, FIRST)
    assert (await read(house, client.client_id)).given_name == "Anita"


async def test_rules_are_read_back_and_a_stale_etag_is_refused(house: Any) -> None:
    nothing = await house.sync.GetFieldAuthority(sync_pb2.GetFieldAuthorityRequest())
    assert (list(nothing.rules), nothing.etag) == ([], "v0")
    overwrite = sync_pb2.AUTHORITY_RULE_OVERWRITE
    saved = await rule(house, ("pos", "phone", overwrite), ("erp", "*", overwrite), etag="v0")
    assert await house.sync.GetFieldAuthority(sync_pb2.GetFieldAuthorityRequest()) == saved
    with pytest.raises(ServiceError) as refused:
        await rule(house, etag="v0")
    assert (refused.value.kind, refused.value.reason) == (Kind.CONFLICT, "FIELD_AUTHORITY_CHANGED")
    assert not (await rule(house, etag=saved.etag)).rules


@pytest.mark.parametrize(
    ("rules", "field", "reason"),
    [
        ([("pos", "shoe_size", 1)], "rules[0].field", "FIELD_UNKNOWN"),
        ([("pos", "phone", 1), ("erp", "phone", 1), ("pos", "phone", 2)], "rules[2].field", "FIELD_REPEATED"),
    ],
)
async def test_rules_that_say_nothing_are_refused(
    house: Any, rules: list[tuple[str, str, int]], field: str, reason: str
) -> None:
    with pytest.raises(ServiceError) as refused:
        await rule(house, *rules)
    assert (refused.value.reason, refused.value.violations[0].field) == (reason, field)


async def test_a_conflict_is_settled_once_and_kept_values_stay_kept(house: Any, upload_of: Upload) -> None:
    client = await landed(house, upload_of)
    await change(house, client.client_id, given_name="Anita")
    await send(house, upload_of, FIRST)
    (conflict,) = await conflicts(house)

    async def attempt(*, is_taken: bool) -> str:
        try:
            return str((await settle(house, conflict.field_conflict_id, is_taken=is_taken)).state)
        except ServiceError as error:
            assert error.kind is Kind.PRECONDITION
            return error.reason

    answers = await asyncio.gather(*(attempt(is_taken=False) for _ in range(20)))
    assert answers.count("FIELD_CONFLICT_SETTLED") == 19
    assert (await read(house, client.client_id)).given_name == "Anita"
    await send(house, upload_of, FIRST)
    assert not await conflicts(house)
    (kept,) = await conflicts(house, state=sync_pb2.FIELD_CONFLICT_STATE_KEPT)
    assert (kept.settled_by, kept.field_conflict_id) == (ADMIN, conflict.field_conflict_id)


async def test_conflicts_are_paged_and_another_chains_are_not_there(house: Any, upload_of: Upload) -> None:
    client = await landed(house, upload_of)
    await change(house, client.client_id, given_name="A", family_name="D", tags=[])
    await send(house, upload_of, FIRST)
    page = await house.sync.ListFieldConflicts(sync_pb2.ListFieldConflictsRequest(page_size=2))
    rest = await house.sync.ListFieldConflicts(
        sync_pb2.ListFieldConflictsRequest(page_size=2, page_token=page.next_page_token)
    )
    ids = [one.field_conflict_id for one in (*page.field_conflicts, *rest.field_conflicts)]
    assert (len(ids), ids) == (3, sorted(ids, reverse=True))
    house.act_as(chain_id="chn_other")
    assert not await conflicts(house)
    with pytest.raises(ServiceError) as hidden:
        await settle(house, ids[0], is_taken=True)
    assert hidden.value.reason == "FIELD_CONFLICT_NOT_FOUND"


async def test_who_looks_at_conflicts_is_written_down(house: Any, upload_of: Upload) -> None:
    client = await landed(house, upload_of)
    await change(house, client.client_id, given_name="Anita")
    await send(house, upload_of, FIRST)
    await conflicts(house)
    async with house.database.transaction(house.chain_id) as tx:
        found = await tx.execute("select client_ids from audit_entries where action = 'ListFieldConflicts'")
        assert [list(row[0]) for row in found] == [[client.client_id]]
