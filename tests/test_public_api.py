"""``__all__`` is the public API, and every public thing says what it is."""

import inspect

import hueycore


def test_all_names_exist_and_are_sorted() -> None:
    assert hueycore.__all__ == sorted(hueycore.__all__)
    for name in hueycore.__all__:
        assert getattr(hueycore, name) is not None


def test_nothing_public_is_left_out_of_all() -> None:
    public = {
        name
        for name, value in vars(hueycore).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }

    assert public == set(hueycore.__all__)


def test_every_public_name_has_a_docstring() -> None:
    for name in hueycore.__all__:
        assert (getattr(hueycore, name).__doc__ or "").strip(), name


def test_every_public_method_of_huey_and_result_has_a_docstring_or_an_obvious_name() -> None:
    obvious = {"dead_count", "pending_count", "scheduled_count", "running_count", "is_revoked"}
    for cls in (hueycore.Huey, hueycore.Result, hueycore.ResultGroup):
        for name, value in inspect.getmembers(cls, inspect.isfunction):
            if not name.startswith(("_", "unregister")) and name not in obvious:
                assert value.__doc__, f"{cls.__name__}.{name}"


def test_exceptions_take_their_message_from_their_docstring() -> None:
    assert str(hueycore.QueueFull()) == "The queue holds as many waiting jobs as it may."
    assert str(hueycore.QueueFull("mine")) == "mine"
