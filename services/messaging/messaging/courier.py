"""The courier carries due texts to the carrier and its answers back. Decisions are in `use_cases`.

No transaction is open while the carrier is called. Texts are taken in sets and answers written down in sets; each text
is a call of its own. Replicas may run one each: a message is taken up by one of them.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from chassis import context as work
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Kind, ServiceError
from messaging.answers import Answers
from messaging.links import Links
from messaging.points import reach
from messaging.providers import Accepted, Carrier, Receipt, Status, Unconfirmable
from messaging.store import due
from messaging.suppression import Suppressor
from messaging.use_cases import delivery, taking
from messaging.use_cases.taking import Errand

_IN_FLIGHT = 64  # calls under way at once; a text is only taken when it can be handed over at once
_CHAINS_AT_ONCE = 4  # below the pool's size, so that calls of people are not kept waiting
_LATE_AT_ONCE = 200
_SHORTEST_PAUSE = 0.02  # between two looks, however many texts are written meanwhile
_GATHER = 0.03  # answers that come within so long are written down together
_PACE = 0.25  # a sender's next texts are taken together so often
_DRAIN_SECONDS = 5.0
_NOTE_AGAIN = (0.2, 0.5, 1.0, 2.0, 5.0)
_CALL_MARGIN = 1.0

_log = structlog.get_logger(__name__)


class Courier:
    """Runs errands for all chains until it is stopped; set `due` to make it look at once."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        carrier: Carrier,
        suppressor: Suppressor,
        due: asyncio.Event,
        poll_seconds: float,
        timeout_seconds: float,
        lease_seconds: float,
        links: Links | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._carrier = carrier
        self._suppressor = suppressor
        self._due = due
        self._poll_seconds = poll_seconds
        self._timeout_seconds = timeout_seconds
        self._lease = timedelta(seconds=lease_seconds)
        self._links = links
        self._flying: dict[asyncio.Task[bool], str] = {}  # with the number that each is about
        self._answers = Answers(self._note, gather_seconds=_GATHER)

    async def run(self) -> None:
        """Run errands for ever. Raises whatever stops it; the runtime starts it again."""
        try:
            while True:
                self._due.clear()
                started, next_time = await self._start_due()
                await asyncio.sleep(_SHORTEST_PAUSE)
                if not started:
                    await self._wait(next_time)
                else:
                    await self._until_half_free()
        except asyncio.CancelledError:
            await self._land()
            raise

    async def run_due(self) -> int:
        """Run what is due now to its end and return how many errands there were for the carrier."""
        started, _ = await self._start_due()
        return sum(await asyncio.gather(*started))

    async def _until_half_free(self) -> None:
        """Wait until there is room for many: a set of one text costs as much as one of thirty."""
        until = asyncio.get_running_loop().time() + self._poll_seconds
        while len(self._flying) > _IN_FLIGHT // 2 and (left := until - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(self._flying, timeout=left, return_when=asyncio.FIRST_COMPLETED)

    async def _wait(self, next_time: datetime | None) -> None:
        pause = self._poll_seconds
        if next_time is not None:
            ahead = (next_time - self._clock.now()).total_seconds()
            pause = min(pause, max(ahead, _PACE))
        try:
            await asyncio.wait_for(self._due.wait(), pause)
        except TimeoutError:
            return

    async def _land(self) -> None:
        """Let calls that are under way come to their end; what does not is asked about later."""
        until = asyncio.get_running_loop().time() + min(self._timeout_seconds, _DRAIN_SECONDS)
        while self._flying and (left := until - asyncio.get_running_loop().time()) > 0:
            try:
                await asyncio.wait(self._flying, timeout=left)
            except asyncio.CancelledError:
                continue  # whoever stops this asks again every second
        for task in self._flying:
            task.cancel()

    async def _start_due(self) -> tuple[list[asyncio.Task[bool]], datetime | None]:
        """Take what is due and begin to run it; return the runs, and when something is due next."""
        now = self._clock.now()
        async with self._database.platform_transaction() as connection:
            waiting = await due.look(connection)
            late = await due.expired(connection, now, _LATE_AT_ONCE)
        await self._expire(late)
        free = _IN_FLIGHT - len(self._flying)
        by_chain: dict[str, list[due.Waiting]] = {}
        for one in waiting:
            if one.is_due(now):
                by_chain.setdefault(one.chain_id, []).append(one)
        started: list[asyncio.Task[bool]] = []
        if by_chain and free > 0:
            # Those who wait longest first, and a fair part of the free places for each chain.
            chains = sorted(by_chain.values(), key=lambda ones: min(_since(one) for one in ones))[:free]
            gate, most = asyncio.Semaphore(_CHAINS_AT_ONCE), max(free // len(chains), 1)

            async def take(ones: list[due.Waiting]) -> None:
                async with gate:
                    started.extend(self._fly(await self._take(ones, now, most)))

            await asyncio.gather(*(take(ones) for ones in chains))
        times = [moment for one in waiting for moment in (one.ask_at, one.send_at) if moment is not None]
        return started, min((moment for moment in times if moment > now), default=None)

    async def _take(self, ones: Sequence[due.Waiting], now: datetime, most: int) -> list[Errand]:
        work.begin_work()
        chain_id = ones[0].chain_id
        ones = sorted(ones, key=_since)
        to_ask = [one.sender_id for one in ones if one.ask_at is not None and one.ask_at <= now]
        to_send = [one.sender_id for one in ones if one.send_at is not None and one.send_at <= now]
        errands: list[Errand] = []
        try:
            if to_ask:
                errands += await taking.take_questions(
                    database=self._database,
                    clock=self._clock,
                    links=self._links,
                    chain_id=chain_id,
                    sender_ids=to_ask,
                    most=most,
                    lease=self._lease,
                )
            if to_send and len(errands) < most:
                errands += await taking.take_texts(
                    database=self._database,
                    clock=self._clock,
                    suppressor=self._suppressor,
                    links=self._links,
                    chain_id=chain_id,
                    sender_ids=to_send,
                    busy_phones=set(self._flying.values()),
                    most=most - len(errands),
                    lease=self._lease,
                )
        except Exception as error:
            # What was taken before it stays due: by its own time, or once the lease is over.
            _log.error("nothing taken", chain_id=chain_id, error=type(error).__name__, exc_info=error)
        return errands

    async def _expire(self, late: Sequence[tuple[str, str]]) -> None:
        by_chain: dict[str, list[str]] = {}
        for chain_id, message_id in late:
            by_chain.setdefault(chain_id, []).append(message_id)
        for chain_id, message_ids in by_chain.items():
            try:
                await taking.expire(
                    database=self._database, clock=self._clock, chain_id=chain_id, message_ids=message_ids
                )
            except Exception as error:
                _log.error("nothing expired", chain_id=chain_id, error=type(error).__name__, exc_info=error)

    def _fly(self, errands: Sequence[Errand]) -> list[asyncio.Task[bool]]:
        begun = asyncio.get_running_loop().time()
        started = []
        for errand in errands:
            task = asyncio.create_task(self._run_errand(errand, begun))
            self._flying[task] = errand.text.to_phone
            task.add_done_callback(self._flying.pop)
            started.append(task)
        return started

    async def _run_errand(self, errand: Errand, begun: float) -> bool:
        try:
            await (self._ask(errand) if errand.is_question else self._send(errand, begun))
            return True
        except Exception as error:
            # It stays due: by its own time, or once the lease is over.
            _log.error(
                "errand failed", reference=errand.text.reference, error=type(error).__name__, exc_info=error
            )
            return False

    async def _send(self, errand: Errand, begun: float) -> None:
        text = errand.text
        held_up = asyncio.get_running_loop().time() - begun
        if held_up > self._lease.total_seconds() - self._timeout_seconds - _CALL_MARGIN:
            # Somebody may be about to find that the carrier does not know it, and to send it again.
            await self._answers.add(text.chain_id, delivery.Lost(text))
            return
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await self._carrier.send(text)
        except Exception as error:
            _log.warning(
                "the carrier's answer was lost", reference=text.reference, error=type(error).__name__
            )
            await self._answers.add(text.chain_id, delivery.Lost(text))
            return
        reach("sending.answered")
        if isinstance(answer, Accepted):
            await self._answers.add(text.chain_id, delivery.Taken(text, answer))
        else:
            await self._answers.add(text.chain_id, delivery.Declined(text, answer.code))

    async def _ask(self, errand: Errand) -> None:
        text = errand.text
        async with asyncio.timeout(self._timeout_seconds):
            found = await self._carrier.find(text)
        reach("asking.answered")
        if found is None:
            await self._answers.add(text.chain_id, delivery.Absent(text))
            return
        if isinstance(found, Unconfirmable):
            await self._answers.add(text.chain_id, delivery.Unconfirmed(text))
            return
        words: list[delivery.Word] = [delivery.Taken(text, found.accepted)]
        if found.status is not Status.SENT:
            words.append(
                Receipt(
                    text.chain_id,
                    text.reference,
                    found.accepted.provider_message_id,
                    found.status,
                    found.error_code,
                )
            )
        await self._answers.add(text.chain_id, *words)

    async def _note(self, chain_id: str, words: Sequence[delivery.Word]) -> None:
        """Write answers down, after an outage too: what is not written down is asked for, which takes longer."""
        work.begin_work()
        reach("noting.begun")
        for pause in (*_NOTE_AGAIN, None):
            try:
                await delivery.note_words(
                    database=self._database,
                    clock=self._clock,
                    suppressor=self._suppressor,
                    chain_id=chain_id,
                    words=words,
                    lease=self._lease,
                )
                return
            except ServiceError as error:
                if pause is None or error.kind not in (Kind.UNAVAILABLE, Kind.CONFLICT):
                    raise
                await asyncio.sleep(pause)


def _since(one: due.Waiting) -> datetime:
    return min(moment for moment in (one.ask_at, one.send_at) if moment is not None)
