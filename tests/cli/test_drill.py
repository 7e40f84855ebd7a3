"""The operator's drill: twelve questions about a mess, each answered by one short command."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from clikit import ROOT

sys.path.insert(0, str(ROOT / "tests" / "tools"))
import drill

pytestmark = pytest.mark.slow


@pytest.fixture
def mess(home: Path, address: str) -> Iterator[drill.Mess]:
    url = address if "://" in address else f"sqlite:///{home}/{address}"
    with drill.mess(home, url) as made:
        yield made


def test_every_question_of_an_operator_is_answered_by_four_words(mess: drill.Mess) -> None:
    questions = mess.questions()
    answers = {}
    for question in questions:
        assert 1 + len(question.words) <= 4, question
        answer = mess.ask(question)
        assert answer.code == 0, answer.shown
        answers[question.text] = answer.shown

    assert len(answers) == 12
    for text, patterns in expected(mess).items():
        for pattern in patterns:
            assert re.search(pattern, answers[text], flags=re.M), (text, pattern, answers[text])


def expected(mess: drill.Mess) -> dict[str, list[str]]:
    """What is true of the mess, by question."""
    storage = mess.storage
    (lock,) = (one for one in storage.locks() if one.name == "ledger")
    blocked = mess.blocked
    what = [question.text for question in mess.questions()]
    reclaimed = r"A vacuum gives [1-9].* back to the disk: hueyctl db vacuum"
    if storage.info().free is None:
        reclaimed = r"Space that is free again: "
    return dict(
        zip(
            what,
            [
                [
                    r"^WARNING +11 dead letters, 6 of shop\.charge: ValueError",
                    r"queue mail has been paused .*SMTP down",
                ],
                [
                    r"^ +6 +shop\.charge +ValueError ",
                    r"^ +4 +shop\.charge +TimeoutError ",
                    r"^ +1 +shop\.transfer +Crashed ",
                ],
                [r"^shop .* (\d+s|\dm \d\ds)( .*)?$", r"^mail \(paused\) .* -( .*)?$"],
                [rf"^ledger +{re.escape(lock.holder)} +(\d+s ago|now) .*\b{blocked}\b"],
                [r"^shop\.search\.reindex .* \d[\d.]*m?s .*\d[\d.]*ms .* 30%"],
                [r"^shop\.report .* periodic", r"^shop\.images\.resize +29m +shop"],
                [
                    r"^\S+ .* thread +busy ",
                    r"^No consumer serves queue mail: hueyctl consume APP --queue mail$",
                ],
                [
                    r" pause +mail .* SMTP down *$",
                    r" revoke +shop +shop\.images\.resize .* twice *$",
                    r" purge +shop ",
                ],
                [rf"^{blocked} blocked: blocked by key ledger, a lock held by"],
                [r"^ *\d+ +dead +shop\.charge [^\n]*\n *\d+ +done +shop\.confirm "],
                [r"^ *\d+ +shop\.transfer +Crashed: "],
                [reclaimed],
            ],
            strict=True,
        )
    )
