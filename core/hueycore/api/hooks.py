"""What an application hangs on its queue: signal receivers and hooks, with Huey's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hueycore.runs.executor import Hook
from hueycore.signals import Receiver, Signal

F = TypeVar("F", bound=Callable[..., Any])


class Hooks:
    """Part of ``Huey``."""

    signals: Signal
    pre_execute_hooks: dict[str, Hook]
    post_execute_hooks: dict[str, Hook]
    startup_hooks: dict[str, Hook]
    shutdown_hooks: dict[str, Hook]

    def _init_hooks(self) -> None:
        self.pre_execute_hooks = {}
        self.post_execute_hooks = {}
        self.startup_hooks = {}
        self.shutdown_hooks = {}

    def signal(self, *signals: str | Receiver) -> Callable[[F], F]:
        """Decorator: call the function as ``f(signal, task, …)`` for these signals, or for all.
        Also without the ``@``: ``huey.signal(SIGNAL_SUCCESS, f)``."""
        names = [signal for signal in signals if isinstance(signal, str)]

        def decorator(receiver: F) -> F:
            self.signals.connect(receiver, *names)
            return receiver

        for receiver in signals:
            if callable(receiver):
                self.signals.connect(receiver, *names)
        return decorator

    def disconnect_signal(self, receiver: Receiver, *signals: str) -> None:
        """Undo ``signal``."""
        self.signals.disconnect(receiver, *signals)

    def pre_execute(self, name: str | None = None) -> Callable[[F], F]:
        """Decorator: call ``f(task)`` before each run; ``CancelExecution`` prevents it."""
        return _adder(self.pre_execute_hooks, name)

    def post_execute(self, name: str | None = None) -> Callable[[F], F]:
        """Decorator: call ``f(task, value, exception)`` after each run, before its commit."""
        return _adder(self.post_execute_hooks, name)

    def on_startup(self, name: str | None = None) -> Callable[[F], F]:
        """Decorator: call ``f()`` when a worker begins."""
        return _adder(self.startup_hooks, name)

    def on_shutdown(self, name: str | None = None) -> Callable[[F], F]:
        """Decorator: call ``f()`` when a worker ends."""
        return _adder(self.shutdown_hooks, name)

    def unregister_pre_execute(self, name: str | Hook) -> bool:
        return _remove(self.pre_execute_hooks, name)

    def unregister_post_execute(self, name: str | Hook) -> bool:
        return _remove(self.post_execute_hooks, name)

    def unregister_on_startup(self, name: str | Hook) -> bool:
        return _remove(self.startup_hooks, name)

    def unregister_on_shutdown(self, name: str | Hook) -> bool:
        return _remove(self.shutdown_hooks, name)


def _adder(hooks: dict[str, Hook], name: str | None) -> Callable[[F], F]:
    def decorator(hook: F) -> F:
        hooks[name or str(getattr(hook, "__name__", repr(hook)))] = hook
        return hook

    return decorator


def _remove(hooks: dict[str, Hook], name: str | Hook) -> bool:
    key = name if isinstance(name, str) else str(getattr(name, "__name__", repr(name)))
    return hooks.pop(key, None) is not None
