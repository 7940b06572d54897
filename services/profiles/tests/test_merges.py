"""Two clients made one: whose value each field gets, what moves with it, who is refused; and the way back."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from carnet.profiles.v1 import duplicates_pb2 as dup
from carnet.profiles.v1 import events_pb2 as ev
from carnet.profiles.v1 import privacy_pb2
from carnet.profiles.v1 import profiles_pb2 as pb
from carnet.profiles.v1 import records_pb2 as rec
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from chassis.errors import ServiceError
from chassis.testing import published
from profiles.client_tables import CLIENT_TABLES
from profiles.domain import merges as domain
from profiles.domain.clients import Client
from profiles.store.merges import DOUBLES, moved_columns

PHONE = "+12025550101"


def phone(value: str, **fields: Any) -> pb.ContactPoint:
    return pb.ContactPoint(kind=pb.CONTACT_KIND_PHONE, value=value, **fields)


def email(value: str, **fields: Any) -> pb.ContactPoint:
    return pb.ContactPoint(kind=pb.CONTACT_KIND_EMAIL, value=value, **fields)


async def merge(house: Any, survivor: pb.Client, merged: pb.Client, **fields: Any) -> dup.Merge:
    return await house.duplicates.MergeClients(
        dup.MergeClientsRequest(
            surviving_client_id=survivor.client_id, merged_client_id=merged.client_id, **fields
        )
    )


async def undo(house: Any, done: dup.Merge) -> dup.Merge:
    return await house.duplicates.UndoMerge(dup.UndoMergeRequest(merge_id=done.merge_id))


async def read(house: Any, client_id: str) -> pb.Client:
    return await house.stub.GetClient(pb.GetClientRequest(client_id=client_id))


async def visit(house: Any, client_id: str, **fields: Any) -> pb.Visit:
    return await house.stub.RecordVisit(
        pb.RecordVisitRequest(client_id=client_id, store_id=house.store_id, **fields)
    )


async def purchase(house: Any, client_id: str, **fields: Any) -> pb.Purchase:
    return await house.stub.RecordPurchase(
        pb.RecordPurchaseRequest(
            client_id=client_id,
            store_id=house.store_id,
            purchase_date=Date(year=2026, month=3, day=1),
            lines=[
                pb.PurchaseLine(
                    piece=pb.Piece(category="ring"), quantity=1, amount=Money(currency_code="USD", units=900)
                )
            ],
            **fields,
        )
    )


async def update(house: Any, client_id: str, **fields: Any) -> pb.Client:
    return await house.stub.UpdateClient(
        pb.UpdateClientRequest(
            client_id=client_id, client=pb.Client(**fields), update_mask=FieldMask(paths=list(fields))
        )
    )


async def refusal(call: Any) -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        await call
    return refused.value


async def test_a_merge_takes_the_survivors_fields_unless_empty_or_chosen_otherwise(house: Any) -> None:
    survivor = await house.client(given_name="Ana", associate_id=house.ana, tags=["vip"])
    other = await house.client(
        given_name="Anna",
        family_name="López",
        nickname="Anita",
        language="es",
        associate_id=house.ben,
        tags=["VIP", "bridal"],
        address=pb.PostalAddress(lines=["1 Main St"], postal_code="10001", country="US"),
    )
    asked = {"choices": {"given_name": other.client_id, "associate_id": other.client_id}}
    preview = await house.duplicates.PreviewMerge(
        dup.PreviewMergeRequest(
            surviving_client_id=survivor.client_id, merged_client_id=other.client_id, **asked
        )
    )
    assert await read(house, other.client_id) == other  # nothing was changed
    done = await merge(house, survivor, other, **asked)
    one = await read(house, survivor.client_id)
    assert (one.given_name, one.family_name, one.nickname, one.language) == ("Anna", "López", "Anita", "es")
    assert (one.associate_id, list(one.tags), one.address.lines) == (
        house.ben,
        ["vip", "bridal"],
        ["1 Main St"],
    )
    assert one.former_client_ids == [other.client_id]
    assert (preview.client, list(preview.differences)) == (one, list(done.differences))
    assert {d.field: d.chosen_client_id for d in done.differences} == dict.fromkeys(
        ("given_name", "family_name", "nickname", "language", "associate_id", "address"), other.client_id
    )
    assert done.undo_deadline_time.seconds - done.merge_time.seconds == 90 * 86400
    history = await house.stub.ListAssignments(pb.ListAssignmentsRequest(client_id=survivor.client_id))
    newest = history.assignments[0]
    assert (newest.from_associate_id, newest.to_associate_id) == (house.ana, house.ben)
    assert "Merged with another record" in await house.timeline(survivor.client_id)
    (event,) = await published(house.database, ev.ClientMerged, chain_id=house.chain_id)
    assert (event.client.client_id, event.merged_client_id) == (survivor.client_id, other.client_id)
    assert event.client.version > max(int(client.etag[1:]) for client in (survivor, other))


async def test_everything_that_was_the_others_is_the_survivors_and_the_old_id_leads_there(house: Any) -> None:
    survivor = await house.client_with_phone(PHONE, given_name="Ana")
    other = await house.client(
        given_name="Anna",
        contact_points=[phone(PHONE, is_preferred=True), email("anna@b.example", is_preferred=True)],
        preferences=[pb.Preference(kind=pb.PREFERENCE_KIND_METAL, value="platinum")],
        occasions=[pb.Occasion(kind=pb.OCCASION_KIND_BIRTHDAY, date=Date(month=5, day=4))],
    )
    friend = await house.client(given_name="Cleo")
    bought = await purchase(house, other.client_id)
    seen = await visit(house, other.client_id)
    given_to = await purchase(house, friend.client_id, recipient_client_id=other.client_id)
    await house.stub.AddRelationship(
        pb.AddRelationshipRequest(
            client_id=friend.client_id,
            relationship=pb.Relationship(kind=pb.RELATIONSHIP_KIND_FRIEND, related_client_id=other.client_id),
        )
    )
    await house.records.CreateNote(
        rec.CreateNoteRequest(
            client_id=other.client_id, text="Likes emeralds", visibility=rec.NOTE_VISIBILITY_SHARED
        )
    )
    await merge(house, survivor, other)
    one = await read(house, other.client_id)
    assert one.client_id == survivor.client_id
    assert [c.value for c in one.contact_points] == [PHONE, "anna@b.example"]
    assert [p.value for p in one.preferences] == ["platinum"]
    assert len(one.occasions) == 1
    assert [r.related_client_id for r in one.relationships] == [friend.client_id]
    for made, get, message in (
        (bought.purchase_id, house.stub.GetPurchase, pb.GetPurchaseRequest(purchase_id=bought.purchase_id)),
        (seen.visit_id, house.stub.GetVisit, pb.GetVisitRequest(visit_id=seen.visit_id)),
    ):
        assert (await get(message)).client_id == survivor.client_id, made
    gift = await house.stub.GetPurchase(pb.GetPurchaseRequest(purchase_id=given_to.purchase_id))
    assert gift.recipient_client_id == survivor.client_id
    notes = await house.records.ListNotes(rec.ListNotesRequest(client_id=other.client_id))
    assert [note.text for note in notes.notes] == ["Likes emeralds"]
    # What comes for the old id lands on the survivor.
    assert (await visit(house, other.client_id)).client_id == survivor.client_id


async def test_what_was_agreed_to_stays_with_its_number(house: Any) -> None:
    survivor = await house.client_with_phone("+12025550102", given_name="Ana")
    other = await house.client_with_phone(PHONE, given_name="Ana")
    consent = await house.stub.RecordConsent(
        pb.RecordConsentRequest(
            client_id=other.client_id,
            contact_point_id=other.contact_points[0].contact_point_id,
            channel=pb.CHANNEL_SMS,
            purposes=[pb.PURPOSE_MARKETING],
            wording="May we write to you about news?",
        )
    )
    await merge(house, survivor, other)
    after = await house.stub.GetConsent(pb.GetConsentRequest(consent_id=consent.consent_id))
    assert after == consent
    assert len(await published(house.database, ev.ConsentCaptured, chain_id=house.chain_id)) == 1


async def test_a_merge_sent_again_is_the_same_merge(house: Any) -> None:
    survivor, other = await house.client(given_name="Ana"), await house.client(given_name="Ana")
    done = [await merge(house, survivor, other, request_id="once") for _ in range(2)]
    assert done[0] == done[1]
    assert len(await published(house.database, ev.ClientMerged, chain_id=house.chain_id)) == 1


async def test_who_cannot_be_merged_is_refused_by_name(house: Any, sign_in: Any) -> None:
    ana, ben, cleo = [await house.client(given_name=name) for name in ("Ana", "Ben", "Cleo")]
    itself = await refusal(merge(house, ana, ana))
    assert (itself.reason, itself.violations[0].field) == ("MERGE_WITH_ITSELF", "merged_client_id")
    unknown = await refusal(merge(house, ana, ben, choices={"shoe_size": ana.client_id}))
    assert (unknown.reason, unknown.violations[0].field) == ("MERGE_CHOICE_UNKNOWN", "choices[shoe_size]")
    nobody = await refusal(merge(house, ana, ben, choices={"given_name": cleo.client_id}))
    assert (nobody.reason, nobody.violations[0].field) == ("MERGE_CHOICE_UNKNOWN", "choices[given_name]")
    await merge(house, ana, ben)
    for one, other in ((ana, ben), (ben, cleo), (cleo, ben)):
        again = await refusal(merge(house, one, other))
        assert (again.reason, again.metadata["surviving_client_id"]) == ("CLIENT_MERGED", ana.client_id)
    sign_in("clients:merge", "clients:read", chain_id="chn_other", clock=house.clock)
    assert (await refusal(merge(house, ana, cleo))).reason == "CLIENT_NOT_FOUND"
    got = await refusal(house.duplicates.GetMerge(dup.GetMergeRequest(merge_id="mrg_nobodys")))
    assert got.reason == "MERGE_NOT_FOUND"


async def test_a_client_of_another_chain_cannot_be_merged(house: Any, sign_in: Any) -> None:
    mine = await house.client(given_name="Ana")
    sign_in("chains:write", chain_id="", clock=house.clock)
    chain = await house.stub.CreateChain(
        pb.CreateChainRequest(
            display_name="Other", country="US", currency_code="USD", time_zone="America/New_York"
        )
    )
    house.act_as(chain_id=chain.chain_id)
    store = await house.stub.CreateStore(
        pb.CreateStoreRequest(display_name="There", time_zone="America/New_York", country="US")
    )
    theirs = await house.stub.CreateClient(
        pb.CreateClientRequest(given_name="Ana", home_store_id=store.store_id)
    )
    house.act_as()
    for one, other in ((mine, theirs), (theirs, mine)):
        assert (await refusal(merge(house, one, other))).reason == "CLIENT_NOT_FOUND"


async def test_somebody_who_was_erased_is_not_merged(house: Any) -> None:
    ana, ben = await house.client(given_name="Ana"), await house.client(given_name="Ben")
    await house.privacy.EraseClient(
        privacy_pb2.EraseClientRequest(client_id=ben.client_id, reason="asked for it")
    )
    assert (await refusal(merge(house, ana, ben))).reason == "CLIENT_ERASED"


async def test_old_ids_lead_through_a_chain_of_merges_to_the_last_survivor(house: Any) -> None:
    ana, ben, cleo = [await house.client(given_name=name) for name in ("Ana", "Ben", "Cleo")]
    first = await merge(house, ben, cleo)
    second = await merge(house, ana, ben)
    assert (await read(house, cleo.client_id)).client_id == ana.client_id
    not_last = await refusal(undo(house, first))
    assert (not_last.reason, not_last.metadata["later_merge_id"]) == ("MERGE_NOT_LAST", second.merge_id)
    await undo(house, second)
    assert (await read(house, cleo.client_id)).client_id == ben.client_id
    await undo(house, first)
    assert (await read(house, cleo.client_id)).given_name == "Cleo"
    listed = await house.duplicates.ListMerges(dup.ListMergesRequest(client_id=ben.client_id))
    assert [one.merge_id for one in listed.merges] == [second.merge_id, first.merge_id]


async def test_an_older_merge_under_a_newer_one_is_taken_back_after_it_only(house: Any) -> None:
    ana, ben, cleo = [await house.client(given_name=name) for name in ("Ana", "Ben", "Cleo")]
    first = await merge(house, ana, ben)
    second = await merge(house, ana, cleo)
    assert (await refusal(undo(house, first))).reason == "MERGE_NOT_LAST"
    await undo(house, second)
    await undo(house, first)
    for client in (ana, ben, cleo):
        assert (await read(house, client.client_id)).given_name == client.given_name


async def test_undoing_gives_both_back_what_they_had(house: Any) -> None:
    friend = await house.client(given_name="Cleo")
    survivor = await house.client(
        given_name="Ana",
        associate_id=house.ana,
        tags=["vip"],
        contact_points=[phone(PHONE, is_preferred=True)],
        preferences=[pb.Preference(kind=pb.PREFERENCE_KIND_METAL, value="gold")],
        occasions=[pb.Occasion(kind=pb.OCCASION_KIND_BIRTHDAY, date=Date(month=5, day=4))],
    )
    other = await house.client(
        given_name="Anna",
        family_name="López",
        associate_id=house.ben,
        tags=["bridal"],
        contact_points=[phone(PHONE, label="mobile", is_preferred=True), phone("+12025550102")],
        preferences=[
            pb.Preference(kind=pb.PREFERENCE_KIND_METAL, value="Gold"),
            pb.Preference(kind=pb.PREFERENCE_KIND_STONE, value="opal"),
        ],
        occasions=[
            pb.Occasion(kind=pb.OCCASION_KIND_BIRTHDAY, date=Date(year=1990, month=5, day=4)),
            pb.Occasion(kind=pb.OCCASION_KIND_ANNIVERSARY, date=Date(year=2015, month=6, day=1)),
        ],
        source="pos",
        external_id="42",
    )
    for one in (survivor, other):  # both are friends with the same third
        await house.stub.AddRelationship(
            pb.AddRelationshipRequest(
                client_id=one.client_id,
                relationship=pb.Relationship(
                    kind=pb.RELATIONSHIP_KIND_FRIEND, related_client_id=friend.client_id
                ),
            )
        )
    await house.stub.AddRelationship(
        pb.AddRelationshipRequest(
            client_id=survivor.client_id,
            relationship=pb.Relationship(
                kind=pb.RELATIONSHIP_KIND_SIBLING, related_client_id=other.client_id
            ),
        )
    )
    await purchase(house, other.client_id)
    await visit(house, survivor.client_id)
    before = [await read(house, one.client_id) for one in (survivor, other)]
    lines = [await house.timeline(one.client_id) for one in (survivor, other)]

    done = await merge(house, survivor, other)
    one = await read(house, survivor.client_id)
    assert [(c.value, c.is_preferred) for c in one.contact_points] == [(PHONE, True), ("+12025550102", False)]
    assert sorted(o.date.year for o in one.occasions) == [1990, 2015]
    assert [p.value for p in one.preferences] == ["gold", "opal"]
    assert [r.related_client_id for r in one.relationships] == [friend.client_id]

    undone = await undo(house, done)
    assert (undone.state, list(undone.kept)) == (dup.MERGE_STATE_UNDONE, [])
    after = [await read(house, client.client_id) for client in (survivor, other)]
    for was, now in zip(before, after, strict=True):
        assert int(now.etag[1:]) > int(one.etag[1:])
        for client in (was, now):
            client.etag = ""
            client.ClearField("update_time")
            for some in (client.contact_points, client.occasions, client.relationships):
                some.sort(key=str)
        assert now == was
    for client, before_lines in zip((survivor, other), lines, strict=True):
        now_lines = await house.timeline(client.client_id)
        assert set(before_lines) <= set(now_lines)
        assert "Is two records again: a merge was taken back" in now_lines
    (event,) = await published(house.database, ev.ClientUnmerged, chain_id=house.chain_id)
    assert (event.client.client_id, event.restored.client_id) == (survivor.client_id, other.client_id)
    assert (await refusal(undo(house, done))).reason == "MERGE_UNDONE"


async def test_what_was_changed_or_recorded_since_stays_with_the_survivor_and_is_explained(
    house: Any,
) -> None:
    survivor = await house.client(given_name="Ana", language="en")
    other = await house.client(
        given_name="Anna", family_name="López", nickname="Anita", contact_points=[phone(PHONE)]
    )
    done = await merge(house, survivor, other)
    await update(house, survivor.client_id, family_name="García", tags=["vip"])
    later = await visit(house, other.client_id)
    moved = (await read(house, survivor.client_id)).contact_points[0]
    await house.stub.RemoveContactPoint(
        pb.RemoveContactPointRequest(client_id=survivor.client_id, contact_point_id=moved.contact_point_id)
    )
    undone = await undo(house, done)
    kept = {(item.kind, item.item_id): item.explanation for item in undone.kept}
    assert kept.keys() == {
        ("family_name", ""), ("tag", ""), ("visit", later.visit_id), ("contact_point", moved.contact_point_id),
    }  # fmt: skip
    assert all(explanation.endswith(".") for explanation in kept.values())
    one, restored = await read(house, survivor.client_id), await read(house, other.client_id)
    # The nickname came with the merge and goes with it; the family name was given since and stays.
    assert (one.given_name, one.family_name, one.nickname) == ("Ana", "García", "")
    assert (restored.given_name, restored.family_name, restored.nickname) == ("Anna", "López", "Anita")
    assert not restored.contact_points
    assert (await house.stub.GetVisit(pb.GetVisitRequest(visit_id=later.visit_id))).client_id == one.client_id
    assert await house.duplicates.GetMerge(dup.GetMergeRequest(merge_id=done.merge_id)) == undone


async def test_a_merge_can_be_taken_back_for_ninety_days_and_then_forgets_what_it_took(house: Any) -> None:
    survivor, other = await house.client(given_name="Ana"), await house.client(given_name="Anna")
    done = await merge(house, survivor, other)
    house.clock.advance(timedelta(days=90, seconds=1))
    house.act_as()
    assert (await refusal(undo(house, done))).reason == "MERGE_TOO_OLD"
    from profiles.use_cases.merges import forget_old_merges

    await forget_old_merges(database=house.database, clock=house.clock)
    async with house.database.transaction(house.chain_id) as tx:
        left = await tx.execute(
            "select (select count(*) from merges where snapshot is not null), (select count(*) from merge_rows)"
        )
        assert tuple(left.one()) == (0, 0)


async def test_an_external_id_of_a_merged_client_is_the_survivors_until_the_merge_is_taken_back(
    house: Any,
) -> None:
    survivor = await house.client(given_name="Ana", source="pos", external_id="1")
    other = await house.client(given_name="Anna", source="pos", external_id="2")
    done = await merge(house, survivor, other)
    taken = await refusal(house.client(given_name="New", source="pos", external_id="2"))
    assert (taken.reason, taken.metadata["client_id"]) == ("CLIENT_EXTERNAL_ID_TAKEN", survivor.client_id)
    await undo(house, done)
    taken = await refusal(house.client(given_name="New", source="pos", external_id="2"))
    assert taken.metadata["client_id"] == other.client_id


async def test_twenty_merges_of_overlapping_pairs_lose_nobody_and_make_no_circle(house: Any) -> None:
    clients = [await house.client(given_name=f"N{n}") for n in range(6)]
    for client in clients:
        await visit(house, client.client_id)
    pairs = [(a, b) for a in range(6) for b in range(6) if a != b][::1][:20]

    async def attempt(one: int, other: int) -> str:
        try:
            return (await merge(house, clients[one], clients[other])).merge_id
        except ServiceError as error:
            return error.reason

    outcomes = await asyncio.gather(*(attempt(*pair) for pair in pairs))
    merged = [outcome for outcome in outcomes if outcome.startswith("mrg_")]
    assert {outcome for outcome in outcomes if not outcome.startswith("mrg_")} <= {"CLIENT_MERGED"}
    survivors = {(await read(house, client.client_id)).client_id for client in clients}
    assert len(survivors) == 6 - len(merged)
    visits = 0
    for survivor in survivors:
        visits += len((await house.stub.ListVisits(pb.ListVisitsRequest(client_id=survivor))).visits)
    assert visits == 6


async def test_visits_that_come_while_two_are_merged_are_not_lost(house: Any) -> None:
    survivor, other = await house.client(given_name="Ana"), await house.client(given_name="Anna")
    results = await asyncio.gather(
        merge(house, survivor, other), *(visit(house, other.client_id) for _ in range(20))
    )
    listed = await house.stub.ListVisits(pb.ListVisitsRequest(client_id=survivor.client_id))
    assert {one.visit_id for one in listed.visits} == {one.visit_id for one in results[1:]}


async def test_who_merged_and_who_looked_is_on_record(house: Any) -> None:
    survivor, other = await house.client(given_name="Ana"), await house.client(given_name="Anna")
    house.act_as(associate_id=house.ben)
    done = await merge(house, survivor, other)
    await undo(house, done)
    async with house.database.transaction(house.chain_id) as tx:
        rows = await tx.execute("select action, actor, subject_id from audit_entries order by audit_entry_id")
        noted = {tuple(row) for row in rows}
    assert {("MergeClients", house.ben, done.merge_id), ("UndoMerge", house.ben, done.merge_id)} <= noted


async def test_every_column_with_clients_ids_is_moved_or_says_why_not(house: Any) -> None:
    moved = {(table.name, column) for table, column in moved_columns()}
    for table in CLIENT_TABLES:
        for column in filter(None, (table.owner, *table.mentions, *table.mention_lists)):
            stays = table.is_append_only or table.left_by_merges
            assert ((table.name, column) in moved) != bool(stays), (table.name, column)


async def test_every_unique_index_with_a_clients_id_has_a_rule_for_doubles(house: Any) -> None:
    moved: dict[str, set[str]] = {}
    for table, column in moved_columns():
        moved.setdefault(table.name, set()).add(column)
    async with house.database.platform_transaction() as connection:
        rows = await connection.execute(
            text(
                "select c.relname, pg_get_indexdef(i.indexrelid) from pg_index i join pg_class c on c.oid = i.indrelid"
                " where i.indisunique and c.relname = any(:tables)"
            ),
            {"tables": list(moved)},
        )
        for table, definition in rows:
            columns = definition[definition.index("(") :]
            if any(column in columns for column in moved[table]):
                assert table in DOUBLES or table == "relationships", f"{table}: {definition}"


async def test_what_a_merge_moves_is_found_by_an_index(house: Any) -> None:
    async with house.database.platform_transaction() as connection:
        rows = await connection.execute(text("select tablename, indexdef from pg_indexes"))
        definitions: dict[str, list[str]] = {}
        for table, definition in rows:
            definitions.setdefault(table, []).append(definition)
    for moved, column in moved_columns():
        if column not in moved.mention_lists:
            assert any(f"(chain_id, {column}" in one for one in definitions[moved.name]), (moved.name, column)


names = st.sampled_from(["", "Ana", "Anna", "López"])


def a_client(client_id: str, given_name: str, family_name: str, tags: list[str]) -> Client:
    from chassis.testing import NOON

    return Client(
        client_id, given_name, family_name, "", "", "sto_1", "", "", "", 3, NOON, NOON, tags=tuple(tags)
    )


@given(
    names,
    names,
    names,
    names,
    st.lists(names.filter(bool), unique=True),
    st.lists(names.filter(bool), unique=True),
)
def test_parting_right_after_uniting_gives_back_what_was(
    one: str, other: str, family: str, other_family: str, tags: list[str], other_tags: list[str]
) -> None:
    before, merged = a_client("cli_a", one, family, tags), a_client("cli_b", other, other_family, other_tags)
    after, differences = domain.united(before, merged, {})
    assert after.version > max(before.version, merged.version)
    assert {d.field for d in differences} <= set(domain.FIELDS)
    alone, kept = domain.parted(after, before, after, merged)
    assert not kept
    assert (alone.given_name, alone.family_name, alone.tags) == (
        before.given_name,
        before.family_name,
        before.tags,
    )


async def test_a_surprise_for_the_merged_one_stays_hidden_from_the_survivors_own_answers(house: Any) -> None:
    survivor, other = await house.client(given_name="Ana"), await house.client(given_name="Anna")
    spouse = await house.client(given_name="Tom")
    await purchase(house, spouse.client_id, surprise_for_client_id=other.client_id)
    await merge(house, survivor, other)
    await merge(house, survivor, spouse)  # even when the giver turns out to be the same person
    request = {"client_id": survivor.client_id}
    assert not (await house.stub.ListPurchases(pb.ListPurchasesRequest(**request))).purchases
    shown = await house.stub.ListPurchases(pb.ListPurchasesRequest(**request, include_surprises=True))
    assert [one.surprise_for_client_id for one in shown.purchases] == [survivor.client_id]
    assert not [line for line in await house.timeline(survivor.client_id) if "ought" in line]


async def test_the_history_of_books_of_both_is_the_survivors(house: Any) -> None:
    survivor = await house.client(given_name="Ana", associate_id=house.ana)
    other = await house.client(given_name="Anna", associate_id=house.ben)
    await merge(house, survivor, other)
    listed = await house.stub.ListAssignments(pb.ListAssignmentsRequest(client_id=other.client_id))
    assert sorted(one.to_associate_id for one in listed.assignments) == sorted([house.ana, house.ben])


async def test_an_import_finds_the_survivor_by_the_merged_ones_id(house: Any, upload_of: Any) -> None:
    survivor = await house.client(given_name="Ana", source="pos", external_id="1")
    other = await house.client(given_name="Anna", source="pos", external_id="2")
    done = await merge(house, survivor, other)

    async def land(number: str) -> None:
        announced = await house.stub.CreateImport(
            pb.CreateImportRequest(
                source="pos",
                file_name="a.csv",
                format=pb.IMPORT_FORMAT_DELIMITED,
                delimiter=",",
                columns={"id": "client_external_id", "phone": "phone"},
                store_id=house.store_id,
            )
        )
        await house.upload(upload_of(announced.import_id, f"id,phone\n2,{number}\n".encode()))

    await land(PHONE)
    assert [c.value for c in (await read(house, survivor.client_id)).contact_points] == [PHONE]
    await undo(house, done)
    await land("+12025550102")
    restored = await read(house, other.client_id)
    assert [c.value for c in restored.contact_points] == ["+12025550102"]
    clients = await house.stub.ListClients(pb.ListClientsRequest())
    assert len(clients.clients) == 2
