"""Calls carried out by another thread, and its sleep."""

import signal
import threading
import time

import pytest

from hospes.base.errors import HospesError
from hospes.machine.mailbox import Mailbox


def quiet() -> Mailbox:
    return Mailbox(lambda: None)


def test_a_call_is_made_by_the_thread_that_carries_out() -> None:
    mailbox = quiet()
    makers: list[int] = []
    done = threading.Event()

    def serve() -> None:
        while not done.is_set():
            mailbox.sleep(1)
            mailbox.carry_out()

    thread = threading.Thread(target=serve)
    thread.start()

    def call() -> int:
        makers.append(threading.get_ident())
        return 42

    assert mailbox.post(call).result(5) == 42
    assert makers == [thread.ident]
    with pytest.raises(ZeroDivisionError):
        mailbox.post(lambda: 1 // 0).result(5)
    done.set()
    mailbox.ring()
    thread.join()


def test_ringing_wakes_at_once_and_is_not_lost() -> None:
    mailbox = quiet()
    mailbox.ring()
    begun = time.monotonic()
    mailbox.sleep(5)
    assert time.monotonic() - begun < 1
    mailbox.carry_out()
    threading.Timer(0.05, mailbox.ring).start()
    mailbox.sleep(5)
    assert time.monotonic() - begun < 2


def test_many_rings_interrupt_once() -> None:
    interrupts: list[int] = []
    mailbox = Mailbox(lambda: interrupts.append(1))
    for _ in range(5):
        mailbox.ring()
    assert interrupts == [1]
    mailbox.carry_out()
    mailbox.ring()
    assert interrupts == [1, 1]


def test_a_closed_mailbox_refuses_what_waits_and_what_comes() -> None:
    mailbox = quiet()
    waiting = mailbox.post(lambda: 1)
    mailbox.close("it is over")
    for ticket in (waiting, mailbox.post(lambda: 2)):
        with pytest.raises(HospesError, match="it is over"):
            ticket.result(1)


def test_nobody_answers_in_time() -> None:
    with pytest.raises(HospesError, match="in time"):
        quiet().post(lambda: 1).result(0.01)


def test_a_signal_handler_may_ring_while_its_thread_sleeps_here() -> None:
    mailbox = quiet()
    old = signal.signal(signal.SIGALRM, lambda number, frame: mailbox.ring())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        begun = time.monotonic()
        mailbox.sleep(5)
        assert time.monotonic() - begun < 2
    finally:
        signal.signal(signal.SIGALRM, old)
