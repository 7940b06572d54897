"""Follow what contacts led to: write down contacts and what clients did, and credit the one with the other.

Effects run inside the transaction of their event or call. What an outcome is credited to is worked out anew from
everything that is known of its client, so that neither order nor repetition matters; only what differs is written and
said. An outcome keeps the rule that it was first credited by.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from chassis.database import Transaction
from outreach import events
from outreach.domain.attribution import Contact, CreditedOutcome, Happening, OutcomeKind, credits_of
from outreach.domain.settings import AttributionRule
from outreach.store import chains, learning, outcomes, touches
from outreach.store.chains import Chain
from outreach.store.happenings import PEOPLE
from outreach.store.outcomes import Bought, OutcomeRow, outcome_of
from outreach.store.settings import get_settings
from outreach.store.touches import TouchRow
from outreach.use_cases.event_set import left_by

# Purchases of a file that are older are history: nobody was contacted before them, unless a contact says so.
_RECENT = timedelta(days=7)
_DAY = timedelta(days=1)
_ASSOCIATES = "asc_"


@dataclass(frozen=True)
class Text:
    """A text that the carrier took; `author` is who or what wrote it."""

    message_id: str
    client_id: str
    store_id: str
    author: str
    sent_at: datetime


async def take_touch(tx: Transaction, touch: TouchRow, *, now: datetime) -> None:
    """Write a contact down and credit it with what the client has done since."""
    client_id = await touches.note_touch(tx, touch)
    touched_at = await touches.when_touched(tx, touch.touch_id)
    if client_id is None or touched_at is None:
        return
    rule = (await get_settings(tx)).attribution
    chain = await chains.get_chain(tx)
    if not touch.campaign_id:
        await outcomes.note_answer(tx, client_id, touched_at)
    await _take_earlier_purchases(tx, chain, client_id, touched_at)
    await _credit(tx, chain, rule, {client_id: touched_at}, now=now)
    await learning.note_to_learn(tx, touch.touch_id, window=learning_window(rule), now=now)


def learning_window(rule: AttributionRule) -> timedelta:
    """Return after what time no reply to a contact can come any more, whatever hour of its day it was."""
    return timedelta(days=rule.reply_days + 1)


async def take_text(tx: Transaction, text: Text, *, now: datetime) -> None:
    """Write down that a text went out; it is a contact if a person wrote it, or somebody says what it was for."""
    is_personal = text.author.startswith(PEOPLE)
    await take_touch(
        tx,
        TouchRow(
            touch_id=touches.touch_of_text(text.message_id),
            client_id=text.client_id,
            associate_id=text.author if text.author.startswith(_ASSOCIATES) else "",
            store_id=text.store_id,
            channel="text",
            touched_at=text.sent_at if is_personal else None,
            sent_at=text.sent_at,
            phrasing="by_hand" if is_personal else "",
        ),
        now=now,
    )


async def expect_text(
    tx: Transaction,
    message_id: str,
    *,
    client_id: str,
    associate_id: str,
    store_id: str,
    signals: Sequence[str] = (),
    suggestion_id: str = "",
    campaign_id: str = "",
    phrasing: str = "unknown",
    now: datetime,
) -> None:
    """Say what a text is for that messaging took; it is a contact when the carrier takes it, or took it before."""
    await take_touch(
        tx,
        TouchRow(
            touch_id=touches.touch_of_text(message_id),
            client_id=client_id,
            associate_id=associate_id,
            store_id=store_id,
            channel="text",
            signals=signals,
            suggestion_id=suggestion_id,
            campaign_id=campaign_id,
            phrasing=phrasing,
        ),
        now=now,
    )


async def take_back(tx: Transaction, touch_id: str, *, now: datetime) -> None:
    """Take a contact back that was logged by mistake."""
    await learning.unlearn(tx, [touch_id])
    client_id = await touches.drop_touch(tx, touch_id)
    if client_id is not None:
        await credit_clients(tx, {client_id: None}, now=now)


async def take_outcomes(tx: Transaction, rows: Sequence[OutcomeRow], *, now: datetime) -> None:
    """Write down what clients did, and credit it to whoever contacted them before; at the end of a set for all."""
    left = left_by(tx)
    if left is not None:
        left.outcomes.extend(rows)
    else:
        await take_all_outcomes(tx, rows, now=now)


async def take_all_outcomes(tx: Transaction, rows: Sequence[OutcomeRow], *, now: datetime) -> None:
    """Write down what clients did, and credit it to whoever contacted them before."""
    await credit_clients(tx, await outcomes.add_outcomes(tx, rows), now=now)


async def take_purchases(
    tx: Transaction,
    purchases: Sequence[Bought],
    *,
    told_at: datetime,
    now: datetime,
) -> None:
    """Write down purchases that a contact may have led to, and credit them.

    A purchase has a day and no hour: it was at the end of its day at the chain, or when it was told of, whichever is
    earlier. So a text of thanks in the evening is not taken for the reason.
    """
    chain = await chains.get_chain(tx)
    told_on = told_at.astimezone(chain.zone).date()
    days: dict[str, date] = {}
    for purchase in purchases:
        days[purchase.client_id] = min(purchase.day, days.get(purchase.client_id, purchase.day))
    rule = (await get_settings(tx)).attribution
    window = timedelta(days=rule.purchase_days)
    contacted = await outcomes.touched_since(tx, {client: day - window for client, day in days.items()})
    rows = [
        _outcome(purchase, min(told_at, _end_of(purchase.day, chain)))
        for purchase in purchases
        if purchase.total_minor > 0 and (purchase.client_id in contacted or told_on - purchase.day <= _RECENT)
    ]
    if rows:
        await take_outcomes(tx, rows, now=now)


async def take_return(tx: Transaction, purchase_id: str, *, now: datetime) -> None:
    """Lower what contacts are credited with by what came back; a purchase that came back whole is none."""
    await credit_clients(tx, await outcomes.lower_amount(tx, purchase_id), now=now)


async def follow_clients(tx: Transaction, currents: Mapping[str, str], *, now: datetime) -> None:
    """Give everything to whom the clients are now, after a merge or one that was taken back, and credit it anew."""
    await touches.follow_clients(tx, currents)
    await credit_clients(tx, dict.fromkeys({*currents, *currents.values()}), now=now)


async def erase_clients(tx: Transaction, client_ids: Collection[str], *, now: datetime) -> dict[str, int]:
    """Remove what came under the ids of one person, also from what was learned; return how many rows of which kind."""
    await learning.unlearn(tx, await learning.touches_that_came_as(tx, client_ids))
    erased, whose = await touches.erase_clients(tx, client_ids)
    await credit_clients(tx, dict.fromkeys(whose), now=now)
    return erased


async def credit_clients(tx: Transaction, since: Mapping[str, datetime | None], *, now: datetime) -> None:
    """Work out anew what clients' outcomes from a moment on, or all, are credited to."""
    if since:
        rule = (await get_settings(tx)).attribution
        await _credit(tx, await chains.get_chain(tx), rule, since, now=now)


async def _credit(
    tx: Transaction,
    chain: Chain,
    rule: AttributionRule,
    since: Mapping[str, datetime | None],
    *,
    now: datetime,
) -> None:
    if not since:
        return
    await outcomes.hold_credits(tx, since)
    rules = await outcomes.read_rules(tx)
    longest = max(
        max(one.reply_days, one.visit_days, one.appointment_days, one.purchase_days)
        for one in [rule, *rules.values()]
    )
    contacts = await outcomes.read_contacts(tx, since, window=timedelta(days=longest + 1))
    is_whole = None in since.values()
    if not contacts and not is_whole:
        return
    changed: list[CreditedOutcome] = []
    concerned: set[str] = set()
    for outcome in await outcomes.read_outcomes(tx, since):
        anew = _credited(
            outcome, rules.get(outcome.rule_version, rule), contacts.get(outcome.client_id, ()), chain
        )
        if anew is not None:
            changed.append(anew)
            concerned.update(credit.touch_id for one in (outcome, anew) for credit in one.credits)
    if changed:
        if rule.version not in rules and any(one.rule_version == rule.version for one in changed):
            await outcomes.keep_rule(tx, rule)
        await outcomes.write_credits(tx, changed)
        for one in changed:
            tx.publish(events.outcome_credited(one), entity_id=one.outcome_id)
    if is_whole:
        concerned.update(
            await outcomes.touches_of(tx, [one for one, moment in since.items() if moment is None])
        )
    if concerned:
        await outcomes.add_up(tx, concerned, currency=chain.currency, now=now)
        await learning.note_due(tx, now)


def _credited(
    outcome: CreditedOutcome, rule: AttributionRule, contacts: Sequence[tuple[str, datetime]], chain: Chain
) -> CreditedOutcome | None:
    """Return the outcome as it is to be credited, None when it is so already."""
    is_undone = outcome.kind is OutcomeKind.PURCHASE and outcome.amount_minor <= 0
    found = credits_of(
        rule,
        Happening(
            outcome.kind,
            outcome.occurred_at,
            outcome.occurred_at.astimezone(chain.zone).date(),
            amount_minor=outcome.amount_minor,
            after=outcome.previous_at,
        ),
        ()
        if is_undone
        else [Contact(touch_id, at, at.astimezone(chain.zone).date()) for touch_id, at in contacts],
    )
    if sorted(found, key=lambda credit: credit.touch_id) == sorted(
        outcome.credits, key=lambda credit: credit.touch_id
    ):
        return None
    version = outcome.rule_version or rule.version
    return replace(outcome, credits=found, rule_version=version, version=outcome.version + 1)


async def _take_earlier_purchases(
    tx: Transaction, chain: Chain, client_id: str, touched_at: datetime
) -> None:
    """Take purchases that were history until a late contact stood before them."""
    touched_on = touched_at.astimezone(chain.zone).date()
    await outcomes.add_outcomes(
        tx,
        [
            _outcome(purchase, _end_of(purchase.day, chain))
            for purchase in await outcomes.bought_since(tx, client_id, touched_on)
        ],
    )


def _outcome(purchase: Bought, occurred_at: datetime) -> OutcomeRow:
    return OutcomeRow(
        outcome_id=outcome_of(purchase.purchase_id),
        kind=OutcomeKind.PURCHASE,
        client_id=purchase.client_id,
        store_id=purchase.store_id,
        associate_id=purchase.associate_id,
        occurred_at=occurred_at,
        total_minor=purchase.total_minor,
        currency=purchase.currency,
    )


def _end_of(day: date, chain: Chain) -> datetime:
    """Return the last moment of a day at the chain."""
    midnight = datetime.combine(day, time(), chain.zone) + _DAY
    return midnight.astimezone(UTC) - timedelta(microseconds=1)
