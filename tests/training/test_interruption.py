"""Signals are noted while training goes on, and mean what they always meant before and after."""

import os
import signal

import pytest

from transpose.training.interruption import Interrupted, StopRequest

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_noted_instead_of_ending_the_process(number: signal.Signals) -> None:
    with StopRequest() as stop:
        assert stop.signal_number is None
        os.kill(os.getpid(), number)
        assert stop.signal_number == number


def test_impatience_does_not_break_off_either() -> None:
    with StopRequest() as stop:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGINT)
        assert stop.signal_number == signal.SIGINT


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in SIGNALS]


def fail_in_training(seen: list[object]) -> None:
    with StopRequest():
        seen += handlers()
        raise KeyError


def test_handlers_come_back_even_after_an_error() -> None:
    before, during = handlers(), []
    with pytest.raises(KeyError):
        fail_in_training(during)
    assert not set(during) & set(before)
    assert handlers() == before


def test_an_interrupted_training_says_how_to_go_on() -> None:
    assert str(Interrupted(signal.SIGTERM)) == "stopped by SIGTERM; run the same command to continue"
    assert Interrupted(signal.SIGINT).signal_number == 2
    assert str(Interrupted(signal.SIGHUP)).startswith("stopped by SIGHUP; ")


def test_a_training_under_nohup_outlives_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopRequest() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert stop.signal_number is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
