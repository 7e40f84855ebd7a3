"""Every feature has a test that names it."""

from __future__ import annotations

from tests.tools import features


def test_no_feature_is_without_a_test() -> None:
    assert features.empty(features.page()) == []
