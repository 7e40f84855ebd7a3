from __future__ import annotations

import pytest

from hueycore import Huey


@pytest.fixture(params=["thread", "asyncio"])
def any_kind(request: pytest.FixtureRequest, huey: Huey) -> str:
    """The consumers of the test have workers of each kind that this process can have."""
    kind: str = request.param
    huey.consumer_defaults["worker_type"] = kind
    return kind
