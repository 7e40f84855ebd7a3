"""What stands in a chord's list is stored in files: it keeps the name under which it is pickled."""

from __future__ import annotations

import re

from hueycore.canvas import SKIPPED, Error
from hueycore.serializer import Serializer

METADATA = {"error": "ValueError('no')", "retries": 0, "task_id": "a1"}

#: ``[Error(METADATA), SKIPPED]``, written when tasks, results and the canvas were one folder.
WRITTEN_BEFORE = (
    b"\x01\x80\x05\x95~\x00\x00\x00\x00\x00\x00\x00]\x94(\x8c\x0fhueycore.canvas\x94\x8c\x05Error"
    b"\x94\x93\x94)\x81\x94N}\x94\x8c\x08metadata\x94}\x94(\x8c\x05error\x94\x8c\x10ValueError"
    b"('no')\x94\x8c\x07retries\x94K\x00\x8c\x07task_id\x94\x8c\x02a1\x94us\x86\x94bh\x01\x8c\x07"
    b"SKIPPED\x94\x93\x94e."
)


def test_a_list_that_an_older_worker_has_stored_is_read_here() -> None:
    failed, skipped = Serializer().deserialize(WRITTEN_BEFORE)

    assert failed == Error(METADATA)
    assert skipped is SKIPPED


def test_a_list_that_is_stored_here_can_be_read_by_an_older_worker() -> None:
    written = Serializer().serialize([Error(METADATA), SKIPPED])

    assert set(re.findall(rb"hueycore[\w.]*", written)) == {b"hueycore.canvas"}
    assert Serializer().deserialize(written) == [Error(METADATA), SKIPPED]
