"""Whether it worked: sums over contacts by what one asks for, intervals only of enough, and what was kept."""

import csv
import io
from datetime import UTC, date, datetime, timedelta

import pytest
from carnet.messaging.v1 import events_pb2 as messaging_events
from carnet.outreach.v1 import outreach_pb2, reports_pb2_grpc
from carnet.outreach.v1 import reports_pb2 as pb
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money
from outreach_story import TODAY, client_created, days_ago, message_received, purchase, visit

from chassis.errors import Kind, ServiceError
from chassis.testing import NOON
from chassis.values import proto_date_of, timestamp_of
from outreach.store.holdouts import Holdout, add_holdouts
from outreach.store.touches import TouchRow
from outreach.use_cases import outcomes
from outreach.use_cases import reports as use_cases

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def reports(outreach):
    return reports_pb2_grpc.ReportsServiceStub(outreach.channel)


@pytest.fixture
async def told(story, as_associate):
    await story.open()
    await story.tell(client_created("cli_a"), client_created("cli_b", associate_id="asc_2", store_id="sto_2"))
    as_associate("reports:read", associate_id="")
    return story


async def touch(outreach, story, client_id="cli_a", *, touch_id, at=NOON - DAY, **fields) -> None:
    row = TouchRow(
        **{
            "touch_id": touch_id,
            "client_id": client_id,
            "associate_id": "asc_1",
            "store_id": "sto_1",
            "channel": "text",
            "touched_at": at,
            **fields,
        }
    )
    async with outreach.database.transaction(story.chain_id) as tx:
        await outcomes.take_touch(tx, row, now=outreach.clock.now())


@pytest.fixture
async def contacts(outreach, told):
    """Return a house with two stores: three contacts at one, one at the other, and what came of them."""
    await touch(outreach, told, touch_id="tch_1", signals=["high_intent", "thank_you"], phrasing="drafted")
    await touch(
        outreach, told, touch_id="tch_2", signals=["high_intent"], phrasing="edited", at=NOON - 3 * DAY
    )
    await touch(outreach, told, touch_id="tch_3", campaign_id="cmp_1", associate_id="", at=NOON - 45 * DAY)
    other = {"associate_id": "asc_2", "store_id": "sto_2", "phrasing": "by_hand"}
    await touch(outreach, told, "cli_b", touch_id="tch_4", **other)
    await told.tell(
        message_received("cli_a", NOON),
        purchase("cli_a", TODAY, purchase_id="pur_1", minor=100_000),
        purchase("cli_b", TODAY, purchase_id="pur_2", minor=5_000),
        purchase("cli_b", TODAY, purchase_id="pur_3", minor=700, currency="EUR"),
    )
    return told


async def rows(reports, group, **asked) -> dict[str, pb.OutcomeRow]:
    report = await reports.GetOutcomeReport(pb.GetOutcomeReportRequest(group_by=group, **asked))
    return {row.key: row for row in report.rows}


async def test_a_chain_is_summed_up_with_what_is_missing_said(reports, contacts):
    report = await reports.GetOutcomeReport(pb.GetOutcomeReportRequest())
    (row,) = report.rows
    assert (row.key, row.touches, row.replies, row.visits, row.appointments) == ("", 3, 1, 0, 0)
    # A little of one purchase is the merit of a contact before the period.
    assert row.purchases == pytest.approx(2.993, abs=0.001)
    assert row.revenue.currency_code == "USD"
    assert row.note == "Not enough data yet: 3 of 30 contacts."
    assert not row.HasField("reply_rate")
    assert (report.from_date, report.until_date) == (proto_date_of(TODAY - 29 * DAY), proto_date_of(TODAY))
    assert (report.rule_version, report.note) == (1, "")


async def test_groups_and_filters_take_what_they_are_for(reports, contacts):
    since = {"from_date": proto_date_of(days_ago(60))}
    assert {
        key: row.touches for key, row in (await rows(reports, pb.REPORT_GROUP_STORE, **since)).items()
    } == {
        "sto_1": 3,
        "sto_2": 1,
    }
    by_associate = await rows(reports, pb.REPORT_GROUP_ASSOCIATE, **since)
    assert {key: row.touches for key, row in by_associate.items()} == {"asc_1": 2, "asc_2": 1}
    assert by_associate["asc_2"].revenue == Money(currency_code="USD", units=50)
    assert by_associate["asc_2"].purchases == 2
    by_signal = await rows(reports, pb.REPORT_GROUP_SIGNAL, **since)
    assert {key: row.touches for key, row in by_signal.items()} == {
        "SIGNAL_HIGH_INTENT": 2,
        "SIGNAL_THANK_YOU": 1,
    }
    by_campaign = await rows(reports, pb.REPORT_GROUP_CAMPAIGN, **since)
    assert {key: row.touches for key, row in by_campaign.items()} == {"cmp_1": 1}
    by_phrasing = await rows(reports, pb.REPORT_GROUP_PHRASING, associate_id="asc_1", **since)
    assert {key: row.touches for key, row in by_phrasing.items()} == {"drafted": 1, "edited": 1}
    thanks = await rows(reports, pb.REPORT_GROUP_PHRASING, signal=outreach_pb2.SIGNAL_THANK_YOU, **since)
    assert set(thanks) == {"drafted"}
    assert set(await rows(reports, pb.REPORT_GROUP_STORE, store_id="sto_2")) == {"sto_2"}
    whole = (await rows(reports, pb.REPORT_GROUP_CHAIN, **since))[""]
    assert whole.revenue == Money(currency_code="USD", units=1050)
    assert whole.purchases == pytest.approx(3)


async def test_one_sees_the_stores_that_one_works_in(outreach, reports, contacts, as_associate):
    as_associate("reports:read", stores=frozenset({"sto_2"}))
    assert (await rows(reports, pb.REPORT_GROUP_CHAIN))[""].touches == 1
    assert set(await rows(reports, pb.REPORT_GROUP_ASSOCIATE)) == {"asc_2"}
    assert [one.touch_id for one in (await reports.ListTouches(pb.ListTouchesRequest())).touches] == ["tch_4"]
    for call, request in (
        (reports.GetOutcomeReport, pb.GetOutcomeReportRequest(store_id="sto_1")),
        (reports.GetFollowUpReport, pb.GetFollowUpReportRequest(store_id="sto_1")),
        (reports.ListTouches, pb.ListTouchesRequest(store_id="sto_1")),
    ):
        with pytest.raises(ServiceError) as refused:
            await call(request)
        assert refused.value.reason == "STORE_NOT_YOURS"
    as_associate("queue:read")
    with pytest.raises(ServiceError) as refused:
        await reports.GetLiftReport(pb.GetLiftReportRequest())
    assert (refused.value.kind, refused.value.reason) == (Kind.FORBIDDEN, "SCOPE_MISSING")


async def test_rates_come_with_their_interval_from_thirty_contacts_on(outreach, reports, told):
    for number in range(30):
        await touch(outreach, told, f"cli_{number}", touch_id=f"tch_{number}")
    await told.tell(*(message_received(f"cli_{number}", NOON) for number in range(6)))
    row = (await rows(reports, pb.REPORT_GROUP_ASSOCIATE))["asc_1"]
    assert (row.touches, row.replies, row.reply_rate, row.note) == (30, 6, 0.2, "")
    assert (round(row.reply_rate_low, 4), round(row.reply_rate_high, 4)) == (0.0951, 0.3731)


async def test_periods_are_days_at_the_chain(outreach, reports, told):
    # 23:30 on 7 March and 00:30 on 8 March in Boston, where clocks go forward that night.
    await touch(outreach, told, touch_id="tch_1", at=datetime(2026, 3, 8, 4, 30, tzinfo=UTC))
    await touch(outreach, told, touch_id="tch_2", at=datetime(2026, 3, 8, 5, 30, tzinfo=UTC))
    await touch(outreach, told, touch_id="tch_3", at=datetime(2026, 3, 9, 3, 59, 59, tzinfo=UTC))
    await touch(outreach, told, touch_id="tch_4", at=datetime(2026, 3, 9, 4, 0, tzinfo=UTC))
    for day, count in ((7, 1), (8, 2), (9, 1)):
        one = Date(year=2026, month=3, day=day)
        assert (await rows(reports, pb.REPORT_GROUP_CHAIN, from_date=one, until_date=one))[
            ""
        ].touches == count


async def test_nothing_is_said_to_be_nothing(reports, told):
    day = proto_date_of(date(2020, 2, 29))
    report = await reports.GetOutcomeReport(
        pb.GetOutcomeReportRequest(group_by=pb.REPORT_GROUP_STORE, from_date=day, until_date=day)
    )
    assert (list(report.rows), report.note) == ([], "No contacts between 2020-02-29 and 2020-02-29.")
    report = await reports.GetOutcomeReport(pb.GetOutcomeReportRequest())
    assert report.rows[0].note == "Not enough data yet: 0 of 30 contacts."
    follow_up = await reports.GetFollowUpReport(
        pb.GetFollowUpReportRequest(group_by=pb.REPORT_GROUP_STORE, from_date=day, until_date=day)
    )
    assert follow_up.note == "Nothing was asked for or done between 2020-02-29 and 2020-02-29."


@pytest.mark.parametrize(
    ("fields", "named", "why"),
    [
        ({"from_date": Date(year=2026, month=2, day=30)}, "from_date", "is not a day"),
        (
            {"from_date": Date(year=2026, month=2, day=3), "until_date": Date(year=2026, month=2, day=2)},
            "from_date",
            "is after",
        ),
        ({"from_date": Date(year=1900, month=2, day=3)}, "from_date", "ten years"),
        (
            {"from_date": Date(year=1, month=1, day=1), "until_date": Date(year=1, month=1, day=1)},
            "from_date",
            "years",
        ),
        ({"until_date": Date(year=9999, month=12, day=31)}, "from_date", "years"),
    ],
)
async def test_a_period_that_is_none_is_refused(reports, told, fields, named, why):
    for request in (pb.GetOutcomeReportRequest(**fields), pb.GetLiftReportRequest(**fields)):
        call = (
            reports.GetOutcomeReport
            if isinstance(request, pb.GetOutcomeReportRequest)
            else reports.GetLiftReport
        )
        with pytest.raises(ServiceError) as refused:
            await call(request)
        assert refused.value.violations[0].field == named
        assert why in refused.value.violations[0].description


async def test_follow_up_is_by_chain_store_or_associate(reports, told):
    with pytest.raises(ServiceError) as refused:
        await reports.GetFollowUpReport(pb.GetFollowUpReportRequest(group_by=pb.REPORT_GROUP_SIGNAL))
    assert refused.value.violations[0].field == "group_by"


async def test_contacts_are_listed_newest_first_in_pages(outreach, reports, told):
    for number in range(7):
        await touch(outreach, told, touch_id=f"tch_{number}", at=NOON - (number // 2) * HOUR)
    listed, token = [], ""
    while True:
        page = await reports.ListTouches(pb.ListTouchesRequest(page_size=3, page_token=token))
        listed += [one.touch_id for one in page.touches]
        if not (token := page.next_page_token):
            break
    assert listed == ["tch_1", "tch_0", "tch_3", "tch_2", "tch_5", "tch_4", "tch_6"]
    for bad in ("made up", "WyJ4IiwieSJd"):
        with pytest.raises(ServiceError) as refused:
            await reports.ListTouches(pb.ListTouchesRequest(page_token=bad))
        assert refused.value.violations[0].field == "page_token"


async def test_the_file_holds_what_the_report_says(reports, contacts):
    pieces = [
        piece
        async for piece in reports.DownloadOutcomeReport(
            pb.DownloadOutcomeReportRequest(group_by=pb.REPORT_GROUP_ASSOCIATE)
        )
    ]
    assert {piece.content_type for piece in pieces} == {"text/csv; charset=utf-8"}
    data = b"".join(piece.data for piece in pieces)
    assert data.startswith(b"\xef\xbb\xbfkey,contacts,")
    assert data.count(b"\r\n") == data.count(b"\n") == 3
    read = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert [line["key"] for line in read] == ["asc_1", "asc_2"]
    assert (read[1]["purchases"], read[1]["revenue"], read[1]["currency"]) == ("2", "50.00", "USD")
    assert read[1]["note"] == "Not enough data yet: 1 of 30 contacts."


async def test_no_cell_of_a_file_is_run_as_a_formula(outreach, reports, told):
    for number, name in enumerate(("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", 'plain, "quoted"')):
        await touch(outreach, told, touch_id=f"tch_{number}", associate_id=name)
    request = pb.DownloadOutcomeReportRequest(group_by=pb.REPORT_GROUP_ASSOCIATE)
    data = b"".join([piece.data async for piece in reports.DownloadOutcomeReport(request)])
    keys = {line["key"] for line in csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))}
    assert keys == {"'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\t=1", 'plain, "quoted"'}


async def test_a_file_of_no_contacts_has_its_header(reports, told):
    request = pb.DownloadOutcomeReportRequest(group_by=pb.REPORT_GROUP_STORE)
    data = b"".join([piece.data async for piece in reports.DownloadOutcomeReport(request)])
    assert data.decode("utf-8-sig").splitlines() == [",".join(use_cases._COLUMNS)]
    with pytest.raises(ServiceError) as refused:
        bad = pb.DownloadOutcomeReportRequest(store_id="x" * 41)
        assert [piece async for piece in reports.DownloadOutcomeReport(bad)]
    assert refused.value.violations[0].field == "store_id"


async def put_forward(outreach, story, count: int, held: int, *, bought: int, held_bought: int) -> None:
    """Have some clients on queues and some left alone, two weeks ago, and some of both buy since."""
    began = NOON - 14 * DAY
    async with outreach.database.transaction(story.chain_id) as tx:
        for number in range(count):
            await tx.execute(
                "insert into suggestions (suggestion_id, chain_id, client_id, associate_id, store_id, state, as_of,"
                " expires_on, score, reasons, signals, model_note, version, created_at, updated_at) values (:id, :c,"
                " :client, 'asc_1', 'sto_1', 'expired', :day, :day, 1, '[]', '{}', '', 1, :at, :at)",
                {
                    "id": f"sug_{story.chain_id}_{number}",
                    "c": story.chain_id,
                    "client": f"cli_t{number}",
                    "day": began.date(),
                    "at": began,
                },
            )
        for again in range(2):
            await add_holdouts(
                tx,
                [Holdout(f"cli_h{number}", "asc_1", "sto_1", ["high_intent"]) for number in range(held)],
                period="2026Q1",
                held_at=began + again * DAY,
            )
    await story.tell(
        *(purchase(f"cli_t{number}", days_ago(3)) for number in range(bought)),
        *(purchase(f"cli_h{number}", days_ago(3)) for number in range(held_bought)),
    )


async def test_lift_is_the_difference_to_those_left_alone_with_its_interval(outreach, reports, told):
    await put_forward(outreach, told, 70, 80, bought=56, held_bought=48)
    lift = await reports.GetLiftReport(pb.GetLiftReportRequest())
    assert (lift.contacted, lift.held_out) == (70, 80)
    assert (lift.contacted_rate, lift.held_out_rate) == (pytest.approx(0.8), pytest.approx(0.6))
    assert (round(lift.lift, 4), round(lift.lift_low, 4), round(lift.lift_high, 4)) == (0.2, 0.0524, 0.3339)
    assert lift.note == "More bought with a contact."


async def test_lift_says_when_there_is_not_enough(outreach, reports, told):
    await put_forward(outreach, told, 40, 12, bought=4, held_bought=1)
    lift = await reports.GetLiftReport(pb.GetLiftReportRequest())
    assert (lift.contacted, lift.held_out) == (40, 12)
    assert not any(lift.HasField(field) for field in ("lift", "lift_low", "contacted_rate"))
    assert lift.note == (
        "Not enough data yet: 40 of 30 clients put forward for a contact, 12 of 30 left alone."
    )


async def test_lift_of_a_campaign_compares_its_recipients_with_its_held_out(outreach, reports, told):
    async with outreach.database.transaction(told.chain_id) as tx:
        await tx.execute(
            "insert into campaigns (chain_id, campaign_id, display_name, audience, texts, holdout_share, pace_per_hour,"
            " state, created_by, created_at, updated_at, version) values (:c, 'cmp_1', 'New', '{}', '[]', 0.5, 100,"
            " 'finished', 'usr_1', :at, :at, 1)",
            {"c": told.chain_id, "at": NOON - 9 * DAY},
        )
        for number in range(100):
            state = ("sent", "held_out", "excluded", "excluded")[
                number % 2 if number < 80 else 2 + number % 2
            ]
            await tx.execute(
                "insert into campaign_recipients (chain_id, campaign_id, recipient_id, client_id, state, is_recipient,"
                " frozen_at, updated_at) values (:c, 'cmp_1', :one, :one, :state, :is_recipient, :at, :at)",
                {
                    "c": told.chain_id,
                    "one": f"cli_{number}",
                    "state": state,
                    "is_recipient": state == "sent" or number == 80,
                    "at": NOON - 9 * DAY,
                },
            )
    await told.tell(*(purchase(f"cli_{number}", days_ago(3)) for number in range(0, 40, 2)))
    await told.tell(
        purchase("cli_1", days_ago(9)), purchase("cli_3", days_ago(8))
    )  # on its day: before it, perhaps
    lift = await reports.GetLiftReport(pb.GetLiftReportRequest(campaign_id="cmp_1"))
    assert (lift.contacted, lift.held_out) == (41, 40)  # one was excluded only when the turn came
    assert (lift.contacted_rate, lift.held_out_rate) == (pytest.approx(20 / 41), pytest.approx(1 / 40))


async def test_lift_of_a_campaign_that_nobody_knows_is_refused(reports, told):
    with pytest.raises(ServiceError) as refused:
        await reports.GetLiftReport(pb.GetLiftReportRequest(campaign_id="cmp_unknown"))
    assert refused.value.reason == "CAMPAIGN_NOT_FOUND"


async def suggestion(
    outreach, story, number: int, state: str, *, created: int, answered: int | None = None, **fields
):
    """Write a suggestion of so many days ago."""
    row = {
        "id": f"sug_{story.chain_id}_{number}",
        "c": story.chain_id,
        "client": f"cli_s{number}",
        "associate": fields.get("associate", "asc_1"),
        "state": state,
        "day": days_ago(created),
        "expires": days_ago(fields.get("expires", -5)),
        "at": NOON - created * DAY,
        "updated": NOON - fields.get("updated", 0) * DAY,
        "answered": None if answered is None else NOON - answered * DAY,
    }
    async with outreach.database.transaction(story.chain_id) as tx:
        await tx.execute(
            "insert into suggestions (suggestion_id, chain_id, client_id, associate_id, store_id, state, as_of,"
            " expires_on, score, reasons, signals, model_note, version, created_at, updated_at, answered_at) values"
            " (:id, :c, :client, :associate, 'sto_1', :state, :day, :expires, 1, '[]', '{}', '', 1, :at, :updated,"
            " :answered)",
            row,
        )


async def test_follow_up_counts_what_was_kept_and_what_was_not(outreach, reports, told):
    await suggestion(outreach, told, 1, "sent", created=10, answered=9)
    await suggestion(outreach, told, 2, "logged", created=10, answered=2)  # done, but overdue before
    await suggestion(outreach, told, 3, "dismissed", created=10, answered=9)
    await suggestion(outreach, told, 4, "open", created=10)
    await suggestion(outreach, told, 5, "open", created=1)
    await suggestion(outreach, told, 6, "expired", created=10, expires=5, updated=4)  # its time ran out
    await suggestion(outreach, told, 7, "expired", created=10, expires=5, updated=7)  # its reason went away
    await suggestion(outreach, told, 8, "open", created=10, expires=1, associate="asc_2")
    report = await reports.GetFollowUpReport(pb.GetFollowUpReportRequest(group_by=pb.REPORT_GROUP_ASSOCIATE))
    mine, other = report.rows
    assert (mine.key, mine.raised, mine.done, mine.dismissed, mine.overdue, mine.expired) == (
        "asc_1",
        7,
        2,
        1,
        1,
        1,
    )
    assert mine.kept_rate == pytest.approx(1 / 4)
    assert (other.key, other.raised, other.expired, other.kept_rate) == ("asc_2", 1, 1, 0)
    (chain,) = (await reports.GetFollowUpReport(pb.GetFollowUpReportRequest())).rows
    assert (chain.raised, chain.overdue, chain.expired) == (8, 1, 2)


def answer(client_id: str, at: datetime) -> object:
    return messaging_events.MessageSent(
        message_id=f"msg_{client_id}_{at.timestamp()}",
        client_id=client_id,
        store_id="sto_1",
        author="asc_1",
        send_time=timestamp_of(at),
    )


async def test_answers_are_timed_from_the_message_to_the_first_word_of_the_house(outreach, reports, told):
    clients = [f"cli_{number}" for number in range(4)]
    await told.tell(*(message_received(one, NOON - 5 * HOUR) for one in clients))
    await told.tell(answer("cli_0", NOON - 5 * HOUR + timedelta(minutes=10)))
    await told.tell(answer("cli_0", NOON), answer("cli_1", NOON - 4 * HOUR), answer("cli_2", NOON - 3 * HOUR))
    (row,) = (
        await reports.GetFollowUpReport(pb.GetFollowUpReportRequest(group_by=pb.REPORT_GROUP_STORE))
    ).rows
    assert (row.key, row.median_answer_minutes, row.unanswered) == ("sto_1", 60, 1)
    await told.tell(message_received("cli_a", NOON), message_received("cli_b", NOON))
    request = pb.GetFollowUpReportRequest(group_by=pb.REPORT_GROUP_ASSOCIATE)
    assert {one.key: one.unanswered for one in (await reports.GetFollowUpReport(request)).rows} == {
        "asc_1": 1,
        "asc_2": 1,
    }


async def test_capture_repeat_and_retention_are_of_visits_and_those_who_bought(outreach, reports, told):
    clients = [f"cli_{number}" for number in range(4)]
    await told.tell(*(client_created(one) for one in clients))
    await told.tell(
        *(purchase(one, days_ago(200)) for one in clients),
        purchase("cli_0", days_ago(900)),  # no first-time buyer
        purchase("cli_0", days_ago(10)),
        purchase("cli_1", days_ago(150)),  # again, before the period
        purchase("cli_2", TODAY),
        visit("cli_2", TODAY),  # the one at which she bought
        visit("cli_3", TODAY),
        visit("cli_3", days_ago(2)),
        visit("cli_3", days_ago(3)),
    )
    (row,) = (
        await reports.GetFollowUpReport(pb.GetFollowUpReportRequest(group_by=pb.REPORT_GROUP_CHAIN))
    ).rows
    assert row.capture_rate == pytest.approx(3 / 2)
    assert row.repeat_rate == pytest.approx(2 / 3)
    assert row.retention_rate == pytest.approx(2 / 4)
