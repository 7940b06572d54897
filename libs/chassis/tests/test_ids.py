"""Ids are unique, of one length, and sort by the time at which they were made."""

from chassis.ids import new_id


def test_ids_have_one_layout_and_are_never_the_same() -> None:
    made = [new_id("cli") for _ in range(20_000)]
    assert len(set(made)) == len(made)
    assert {len(one) for one in made} == {30}
    assert set("".join(one.removeprefix("cli_") for one in made)) == set("0123456789abcdefghjkmnpqrstvwxyz")


def test_ids_sort_by_the_millisecond_in_which_they_were_made() -> None:
    moments = [new_id("x")[2:12] for _ in range(5_000)]
    assert moments == sorted(moments)
    assert moments[0] > "01jd"  # made after November 2024, when the ULID of that moment began so
