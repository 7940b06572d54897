"""Ranks of states, and what error codes ask for."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.domain import State, message_id_of, moves_forward
from messaging.providers.codes import FAULTS, Fault, fault_of, pause_after

WORDS = [State.SENDING, State.UNKNOWN, State.SENT, State.DELIVERED, State.FAILED]


@given(st.lists(st.sampled_from(WORDS), min_size=1))
def test_in_whichever_order_words_come_a_message_never_goes_back(words: list[State]) -> None:
    state = State.QUEUED
    seen = [state]
    for word in words:
        if moves_forward(state, word):
            state = word
            seen.append(state)
    assert len(seen) == len(set(seen))
    if State.DELIVERED in words and State.FAILED not in words:
        assert state is State.DELIVERED


@pytest.mark.parametrize(
    "final", [State.DELIVERED, State.FAILED, State.DENIED, State.CANCELLED, State.RECEIVED]
)
def test_what_is_final_stays(final: State) -> None:
    assert not any(moves_forward(final, word) for word in WORDS)


def test_a_reference_of_any_attempt_leads_to_its_message() -> None:
    assert message_id_of("msg_1") == message_id_of("msg_1.3") == "msg_1"


@pytest.mark.parametrize(
    ("code", "fault"),
    [("500", Fault.TRANSIENT), ("503", Fault.TRANSIENT), ("5000", Fault.OTHER), ("", Fault.OTHER)],
)
def test_an_answer_of_the_5xx_kind_is_transient(code: str, fault: Fault) -> None:
    assert fault_of(code) is fault


def test_a_transient_failure_is_repeated_twice_and_the_rest_never_blindly() -> None:
    assert [pause_after("30003", attempts) for attempts in (1, 2, 3)] == [
        timedelta(minutes=1),
        timedelta(minutes=5),
        None,
    ]
    for code, fault in FAULTS.items():
        assert (pause_after(code, 1) is not None) == (fault in (Fault.TRANSIENT, Fault.SLOW_DOWN))
