import os
import signal
import time

import pytest
import torch

from benchmarks.fuzz.forked_child import HANG, Child, Ended

pytestmark = pytest.mark.slow  # Whole commands and processes.


def ending(handle, seconds=20.0, room=None):
    with Child(handle, room) as child:
        child.ask(None)
        with pytest.raises(Ended) as caught:
            child.answer(seconds)
    return caught.value.how


def test_answers_come_in_the_order_of_the_requests():
    with Child(lambda request: {"got": request}) as child:
        for request in (1, "a", None):
            child.ask(request)
        assert [child.answer(20.0) for _ in range(3)] == [{"got": 1}, {"got": "a"}, {"got": None}]


def test_a_signal_is_told():
    assert ending(lambda _: os.kill(os.getpid(), signal.SIGSEGV)) == -signal.SIGSEGV


def test_a_child_that_does_not_answer_is_killed():
    started = time.monotonic()
    assert ending(lambda _: time.sleep(60), seconds=0.2) == HANG
    assert time.monotonic() - started < 10


def test_memory_is_limited():
    def ask_for_much(_):
        try:
            return len(bytearray(1 << 30))
        except MemoryError:
            return "refused"

    with Child(ask_for_much, room=1 << 28) as child:
        child.ask(None)
        assert child.answer(20.0) == "refused"


def test_a_child_computes_after_its_parent_has_used_threads():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        rows = torch.rand(2**20)
        rows.sort()  # The parent's threads exist now, and a fork has none of them.
        with Child(lambda seed: float((rows + seed).exp().sum())) as child:
            child.ask(1)
            assert child.answer(seconds=20) == pytest.approx(float((rows + 1).exp().sum()), rel=1e-4)
    finally:
        torch.set_num_threads(threads)
