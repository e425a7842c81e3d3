"""The lock: readers together, a writer alone."""

import time
from threading import Barrier, Event, Thread

from labelgraph.search.shared_lock import SharedLock


def start(run):
    thread = Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_readers_are_inside_together():
    lock, inside = SharedLock(), Barrier(4)

    def read():
        with lock.read():
            inside.wait(timeout=10)  # Breaks unless all four are inside.

    threads = [start(read) for _ in range(4)]
    for thread in threads:
        thread.join(10)
    assert not inside.broken and not any(thread.is_alive() for thread in threads)


def test_a_writer_waits_for_readers_and_later_readers_wait_for_it():
    lock, order = SharedLock(), []
    reading, leave, wrote = Event(), Event(), Event()

    def first():
        with lock.read():
            reading.set()
            leave.wait(10)
            order.append("first reader")

    def write():
        with lock.write():
            order.append("writer")
            wrote.set()

    def second():
        with lock.read():
            order.append("second reader")

    threads = [start(first)]
    reading.wait(10)
    threads.append(start(write))
    assert not wrote.wait(0.05)
    for _ in range(1000):
        if lock._writers:
            break
        time.sleep(0.01)
    threads.append(start(second))
    threads[-1].join(0.05)
    assert order == []
    leave.set()
    for thread in threads:
        thread.join(10)
    assert order == ["first reader", "writer", "second reader"]


def test_an_error_inside_frees_the_lock():
    lock = SharedLock()
    for hold in (lock.read, lock.write):
        try:
            with hold():
                raise KeyError
        except KeyError:
            pass
    done = Event()

    def write():
        with lock.write(), SharedLock().read():
            done.set()

    start(write).join(10)
    assert done.is_set()
