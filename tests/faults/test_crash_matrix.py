"""A small part of the crash matrix; all of it is `make faults`."""

from pathlib import Path

from crash_matrix import run


async def test_killed_at_four_points_each_text_goes_out_once(tmp_path: Path) -> None:
    count = await run(
        tmp_path,
        texts=60,
        strikes=("sending.committed", "sending.answered", "noting.written", "relay.published"),
        seed=7,
        is_durable=False,
        lease_seconds=5,
        timeout_seconds=1,
        is_told=False,
    )
    assert count.faults() == []
    assert count.asked == 60
