"""Native locks, conditions and events, which gevent replaces nowhere."""

from __future__ import annotations

import threading
import time

from hueycore.system import native
from tests.helpers import run_python, wait_until


def test_a_condition_wakes_as_many_as_are_told() -> None:
    condition, woken = native.Condition(), []

    def sleep() -> None:
        with condition:
            woken.append(condition.wait(10))

    threads = [threading.Thread(target=sleep) for _ in range(5)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(condition._waiters) == 5)
    with condition:
        condition.notify(2)
    wait_until(lambda: len(woken) == 2)
    with condition:
        condition.notify_all()
    for thread in threads:
        thread.join(10)

    assert woken == [True] * 5


def test_a_condition_that_nobody_notifies_gives_up_and_is_not_owed_a_wake_up() -> None:
    condition = native.Condition()
    with condition:
        started = time.monotonic()
        assert condition.wait(0.02) is False
        assert time.monotonic() - started >= 0.02
        condition.notify()
        assert condition.wait(0) is False


def test_an_event_is_seen_by_who_comes_later_and_by_who_waits() -> None:
    event, seen = native.Event(), []
    assert event.wait(0) is False
    thread = threading.Thread(target=lambda: seen.append(event.wait(10)))
    thread.start()
    event.set()
    thread.join(10)

    assert (seen, event.is_set(), event.wait(0)) == ([True], True, True)
    event.clear()
    assert event.wait(0) is False


def test_threads_are_native_and_named_whether_patched_before_or_after_the_import() -> None:
    code = """
        import sys
        if sys.argv[1] == "after":
            from hueycore.system import native
        from gevent import monkey; monkey.patch_all()
        import gevent, logging, threading, time
        from hueycore.system import native

        names, done = [], native.Event()

        def work():
            names.append((threading.current_thread().name, native.get_ident()))
            done.wait(5)

        thread = native.Thread(work, "mine")
        thread.start()
        ticks = []
        gevent.spawn(lambda: [ticks.append(gevent.sleep(0.001)) for _ in range(20)])
        thread.join(0.1)  # lets greenlets run
        assert thread.is_alive() and len(ticks) == 20
        done.set()
        thread.join(5)
        assert not thread.is_alive()
        assert type(native.Lock()).__module__ == "_thread", type(native.Lock())
        assert type(threading.Lock()).__module__ != "_thread"
        for selector in (native.DefaultSelector(), native.PollSelector()):
            assert "gevent" not in type(selector._selector).__module__
        print(names[0][0], names[0][1] == thread.ident != native.get_ident())
    """
    for when in ("before", "after"):
        assert run_python(code, when).strip() == "mine True"
