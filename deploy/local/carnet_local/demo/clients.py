"""The chapters about people: who is worth a word today, a walk-in, the text, the answer, and the gate's no."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from carnet_local.api import Json, day, money
from carnet_local.demo.house import STORE_ZONE, House, expect, fictional_number, stamp, until
from carnet_local.demo.telling import Teller

MODEL_DAY = date(1998, 7, 1)
"""The day after the last purchase of the data set."""

CONSENT_WORDING = (
    "Yes, the store may text me at this number about pieces, services and events."
    " Agreeing is no condition of a purchase. Reply STOP to end it at any time."
)

# Somewhere it is always daytime; the first one that fits is taken, so that quiet hours do not stop the story.
ZONES = (
    STORE_ZONE, "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Anchorage", "Pacific/Honolulu",
    "Pacific/Auckland", "Australia/Sydney", "Asia/Tokyo", "Asia/Singapore", "Asia/Kolkata", "Asia/Dubai",
    "Europe/Athens", "Europe/Paris", "Europe/London", "America/Sao_Paulo",
)  # fmt: skip


def awake_zone(now: datetime) -> str:
    """Return a zone in which it is between 10 and 18 o'clock now, and not Sunday where there is a choice."""
    local = {zone: now.astimezone(ZoneInfo(zone)) for zone in ZONES}
    awake = [zone for zone, here in local.items() if 10 <= here.hour < 18]
    return next((zone for zone in awake if local[zone].isoweekday() != 7), awake[0])


async def rank_everybody(teller: Teller, house: House) -> None:
    """Fit the purchase model, rank everybody, and show the top of a queue."""
    teller.chapter("The purchase model is fitted, and everybody is ranked")
    ran = await house.admin.post("/v1/scoring:run", {"as_of_date": day(MODEL_DAY)})
    model = ran["purchase_model"]
    expect(model["state"] == "PURCHASE_MODEL_STATE_FITTED", f"no model was fitted: {model.get('note')}")
    times, amounts = model["bg_nbd"], model["gamma_gamma"]
    teller.tell(
        f"As of {MODEL_DAY}: {int(model['clients']):,} clients, {int(model['repeat_clients']):,} of them came back."
        f" {int(ran['suggestions_raised']):,} suggestions in {ran['duration_seconds']:.1f} s."
    )
    teller.show(
        f"BG/NBD       r {times['r']:.3f}  alpha {times['alpha']:.3f}  a {times['a']:.3f}  b {times['b']:.3f}\n"
        f"Gamma-Gamma  p {amounts['p']:.3f}  q {amounts['q']:.3f}  gamma {amounts['gamma']:.3f}"
    )
    owner_id = house.book_owners[0]
    queue = await house.admin.get(f"/v1/associates/{owner_id}/queue", page_size=5)
    expect(queue["suggestions"], f"the queue of {house.associates[owner_id]} is empty")
    teller.tell(f"The top of {house.associates[owner_id]}'s queue:")
    for place, suggestion in enumerate(queue["suggestions"], 1):
        expect(suggestion["reasons"], "a suggestion gives no reason")
        teller.show(f"{place}. {suggestion['client_id']}  score {suggestion['score']:.2f}")
        for reason in suggestion["reasons"]:
            teller.show(f"     {reason['contribution']:+.2f}  {reason['sentence']}")
    house.best_client_id = queue["suggestions"][0]["client_id"]


async def welcome_walk_in(teller: Teller, house: House) -> None:
    """Capture a walk-in with consent in one call; it was the second visit."""
    teller.chapter("Somebody walks in")
    zone, house.phone = awake_zone(datetime.now(UTC)), fictional_number()
    captured = await house.associate.post(
        "/v1/visits:capture",
        {
            "store_id": house.store_id,
            "given_name": "Inés",
            "family_name": "Ibáñez",
            "phone": house.phone,
            "email": f"ines.{house.run}@example.com",
            "language": "en-US",
            "time_zone": zone,
            "items": [
                {
                    "piece": {
                        "category": "ring",
                        "description": "oval sapphire, halo",
                        "metal": "platinum",
                        "stone": "sapphire",
                        "price": money(5200),
                    },
                    "is_liked": True,
                },
                {"piece": {"category": "ring", "description": "emerald, bezel", "price": money(4100)}},
            ],
            "for_whom": "herself",
            "need_by_date": day(datetime.now(UTC).date() + timedelta(days=40)),
            "consent": {
                "channel": "CHANNEL_SMS",
                "purposes": ["PURPOSE_CONVERSATIONAL", "PURPOSE_SERVICE", "PURPOSE_MARKETING"],
                "wording": CONSENT_WORDING,
                "source": "in_store_tablet",
            },
        },
    )
    house.client = captured["client"]
    expect(captured["is_new_client"], "the walk-in was taken for somebody who is known")
    here = datetime.now(ZoneInfo(zone))
    teller.tell(
        f"{house.associates[house.seller_id]} enters it in one call: Inés Ibáñez, {house.phone}, looked at two rings"
        " and liked one, needs it in 40 days, and agreed to"
        f" texts. Her zone is {zone}, where it is {here:%H:%M}: the demo chooses one where it is daytime now."
    )
    await house.associate.post(
        "/v1/visits",
        {
            "client_id": house.client["client_id"],
            "store_id": house.store_id,
            "visit_time": stamp(datetime.now(UTC) - timedelta(days=6)),
            "note": "First look; entered later from the notebook.",
        },
    )
    teller.tell("She had been in six days before, without buying. The notebook's line is entered too.")


async def text_her(teller: Teller, house: House) -> None:
    """See the suggestion, draft, send, and find the text on the phone of the sandbox."""
    teller.chapter("Carnet suggests to write to her, and drafts the text")
    client_id = house.client["client_id"]

    async def suggested() -> Json:
        path = f"/v1/associates/{house.client['associate_id'] or house.seller_id}/queue"
        async for each in house.associate.every(path, "suggestions"):
            if each["client_id"] == client_id:
                return each
        return {}

    suggestion = await until(suggested, "no suggestion for the walk-in came up")
    for reason in suggestion["reasons"]:
        teller.show(f"{reason['contribution']:+.2f}  {reason['sentence']}")
    path = f"/v1/suggestions/{suggestion['suggestion_id']}"
    draft = await house.associate.post(f"{path}:draft")
    count = draft["segments"]
    teller.show(f"Draft ({count} segment{'s' if count > 1 else ''}): {draft['body']}")

    async def allowed() -> Json:
        # The number's permission travels as an event from profiles to messaging's ledger.
        decision = await house.associate.post(
            "/v1/messages:check",
            {"client_id": client_id, "store_id": house.store_id, "purpose": "PURPOSE_MARKETING"},
        )
        return decision if decision["verdict"] == "VERDICT_ALLOW" else {}

    await until(allowed, "the gate does not allow a text to the walk-in")
    sent = await house.associate.post(f"{path}:send", {"body": draft["body"], "draft_id": draft["draft_id"]})
    house.client["conversation_id"] = sent["conversation_id"]
    started = time.monotonic()

    async def on_the_phone() -> Json:
        inbox = await house.associate.get("/v1/sandbox/messages", phone=house.phone)
        found: list[Json] = [each for each in inbox["messages"] if each["body"] == draft["body"]]
        return found[0] if found else {}

    on_phone = await until(on_the_phone, "the text did not reach the phone")
    teller.tell(
        f"Sent as it stands; on her phone after {time.monotonic() - started:.1f} s, from {on_phone['from_phone']}."
    )

    async def delivered() -> bool:
        message = await house.associate.get(f"/v1/messages/{sent['message_id']}")
        return bool(message["state"] == "MESSAGE_STATE_DELIVERED")

    await until(delivered, "no delivery receipt came")
    teller.tell("The network's receipt says delivered.")


async def she_answers(teller: Teller, house: House) -> None:
    """Answer as the client does, and read the conversation."""
    teller.chapter("She answers")
    answer = "Lovely, thank you! Could I see the sapphire again on Thursday?"
    await house.associate.post(
        "/v1/sandbox/inbound", {"from_phone": house.phone, "to_phone": house.sender_phone, "body": answer}
    )
    path = f"/v1/conversations/{house.client['conversation_id']}"

    async def arrived() -> list[Json]:
        messages: list[Json] = (await house.associate.get(f"{path}/messages"))["messages"]
        return messages if any(each["body"] == answer for each in messages) else []

    for message in reversed(await until(arrived, "her answer did not arrive")):
        who = "Inés " if message["direction"] == "DIRECTION_INBOUND" else "store"
        state = message["state"].removeprefix("MESSAGE_STATE_").lower()
        teller.show(f"{who}  [{state}]  {message['body']}")
    conversation = await house.associate.get(path)
    expect(
        conversation["unread_count"] == 1, f"the conversation counts {conversation['unread_count']} unread"
    )


async def ask_the_gate(teller: Teller, house: House) -> None:
    """Show why somebody else cannot be written to."""
    teller.chapter("Why can I not text this one?")
    silent = await house.associate.post(
        "/v1/clients",
        {
            "given_name": "Anders",
            "family_name": "Holm",
            "home_store_id": house.store_id,
            "contact_points": [{"kind": "CONTACT_KIND_PHONE", "value": fictional_number()}],
        },
    )
    decision = await house.associate.post(
        "/v1/messages:check",
        {"client_id": silent["client_id"], "store_id": house.store_id, "purpose": "PURPOSE_MARKETING"},
    )
    expect(decision["verdict"] == "VERDICT_DENY", "the gate would text somebody who never agreed")
    for reason in decision["reasons"]:
        teller.show(
            f"{decision['verdict'].removeprefix('VERDICT_').lower()}: {reason['reason']}, {reason['message']}"
        )
