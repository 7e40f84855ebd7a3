"""How the interpreter's threads take turns while consumers work."""

import sys
import threading
from typing import Any

import pytest

from hueycore import Huey
from hueycore.consumer import switch
from tests.helpers import wait_until


@pytest.mark.feature("worker kinds")
def test_turns_are_short_while_any_consumer_works_and_as_before_after_the_last(
    huey: Huey,
) -> None:
    before = sys.getswitchinterval()
    consumers = [huey.create_consumer(), huey.create_consumer()]

    for consumer in consumers:
        consumer.start()
    assert wait_until(lambda: sys.getswitchinterval() == pytest.approx(switch.INTERVAL))
    consumers[0].stop(graceful=True)
    assert wait_until(lambda: sys.getswitchinterval() == pytest.approx(switch.INTERVAL))
    consumers[1].stop(graceful=True)

    assert sys.getswitchinterval() == pytest.approx(before)


def test_an_exchange_hurries_between_threads_that_compute(huey: Huey) -> None:
    seen: list[float] = []
    exchange = huey.storage.exchange

    def watched(*args: Any) -> Any:
        if args[1]:  # endings
            seen.append(sys.getswitchinterval())
        return exchange(*args)

    huey.storage.exchange = watched  # type: ignore[method-assign]
    over = threading.Event()

    @huey.task()
    def compute() -> None:
        while not over.is_set():
            pass

    @huey.task()
    def short() -> None:
        pass

    consumer = huey.create_consumer(workers=3)
    computing = [compute(), compute()]
    consumer.start()
    try:
        short().get(blocking=True, timeout=10)
        assert wait_until(lambda: bool(seen))
        assert seen == [pytest.approx(switch.HURRIED)]
        assert wait_until(lambda: sys.getswitchinterval() == pytest.approx(switch.INTERVAL))
    finally:
        over.set()
        consumer.stop(graceful=True)
    assert [result.get() for result in computing] == [None, None]
