"""The jobs of rankings: slices of large chains, and sets of clients to be looked at again. Must only translate."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from chassis.clock import Clock
from chassis.database import Database
from chassis.runtime import Background, Component, every
from outreach.config import Settings
from outreach.jobs import Job, JobQueue
from outreach.use_cases import attention, ranking_runs

SLICE, CLIENTS = "slice", "clients"


class RankingJobs:
    """Puts the jobs on the queue, and works on them."""

    def __init__(self, queue: JobQueue, database: Database, clock: Clock, settings: Settings) -> None:
        self._queue = queue
        self._database = database
        self._clock = clock
        self._settings = settings

    def components(self) -> Sequence[Component]:
        """Return what a process runs for them."""
        return [
            *(
                Background(f"scoring of {what} {worker}", partial(self._queue.take, kind, work))
                for kind, what, work in (
                    (SLICE, "slices", self.rank_slice),
                    (CLIENTS, "due clients", self.look_at_clients),
                )
                for worker in range(1, self._settings.ranking_workers + 1)
            ),
            Background("scoring: who is due", every(self._settings.due_poll_seconds, self.find_due)),
        ]

    async def put_slices(self, chain_id: str, run_id: str, slices: Sequence[int]) -> None:
        """Put slices of a run on the queue; one that is there already stays alone."""
        await self._queue.put(SLICE, [Job(chain_id, run_id, slice_) for slice_ in slices])

    async def rank_slice(self, job: Job) -> None:
        """Rank the slice that a job names."""
        await ranking_runs.work_on_slice(
            database=self._database,
            clock=self._clock,
            chain_id=job.chain_id,
            run_id=job.subject_id,
            slice_=job.part,
            queue_size=self._settings.queue_size,
            replay_hold=timedelta(hours=self._settings.replay_hold_hours),
        )

    async def find_due(self) -> None:
        """Put a job on the queue for each set of clients who wait, once however often they are seen to."""
        for chain_id, sets, marked_at in await attention.find_due(self._database):
            jobs = [Job(chain_id, marked_at.isoformat(), part) for part in range(sets)]
            await self._queue.put(CLIENTS, jobs)

    async def look_at_clients(self, job: Job) -> None:
        """Look at a set of clients of the job's chain."""
        await attention.evaluate_due(
            database=self._database,
            clock=self._clock,
            chain_id=job.chain_id,
            queue_size=self._settings.queue_size,
        )
