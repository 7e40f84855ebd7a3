"""The verbs under the names of Huey's storages."""

from __future__ import annotations

import pytest

from hueycore import storage as storages
from hueycore.constants import EmptyData
from hueycore.exceptions import ConfigurationError
from hueycore.model.endings import Done
from hueycore.model.jobs import Selector
from hueycore.model.states import State
from hueycore.storage.base import Storage
from tests.storage.kit import born, new, one, run, worker


def test_values_and_results_are_read_by_key(storage: Storage) -> None:
    job = born(storage)
    run(storage, worker(storage), Done(b"result"))
    storage.put_data(b"key", b"value")

    assert storage.result_items() == {job.id: b"result", "key": b"value"}
    assert storage.peek_many(["key", "none"]) == {"key": b"value"}
    assert storage.has_data_for_key(job.id)
    assert storage.wait_result(job.id)
    assert (storage.peek_data(job.id), storage.pop_data(job.id)) == (b"result", b"result")
    assert storage.peek_data(job.id) is EmptyData
    assert (storage.delete_data("key"), storage.delete_data("key")) == (True, False)


def test_the_queue_and_the_schedule_are_emptied_apart(storage: Storage) -> None:
    storage.enqueue([new(payload=b"now"), new(payload=b"later", run_at=4e9)])
    running = born(storage, priority=1)

    assert one(storage, worker(storage)).id == running.id
    assert (storage.enqueued_items(), storage.scheduled_items()) == ([b"now"], [b"later"])
    storage.flush_queue()
    assert (storage.enqueued_items(), storage.scheduled_items(1)) == ([], [b"later"])
    storage.flush_schedule()
    assert [job.state for job in storage.jobs(Selector())] == [State.RUNNING]


def test_results_values_and_counters_are_emptied(storage: Storage) -> None:
    born(storage)
    run(storage, worker(storage), Done(b"result"))
    storage.put("key", b"value")
    storage.incr("count")

    storage.flush_results()
    assert (storage.result_items(), storage.incr("count")) == ({}, 2)
    storage.flush_counters()
    assert storage.incr("count") == 1
    storage.delete_counter("count")
    assert storage.incr("count") == 1


def test_a_storage_has_a_name_and_is_one_of_theirs(storage: Storage) -> None:
    assert storage.name == storage.queue
    assert isinstance(storage, storages.BaseStorage)
    for name in ("dequeue", "read_schedule", "add_to_schedule"):
        with pytest.raises(ConfigurationError, match=f"{name}: a storage holds jobs"):
            getattr(storage, name)()
