"""The health of several consumers as one, for probes and for systemd."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hueycore.consumer.health import RESTARTING, RUNNING, STARTING, STOPPING, Figures
from hueycore.system import native
from hueyctl.service.channel import FRESH, PATIENCE, Channel


class CombinedHealth:
    """What ``Health`` says of one consumer, of all: the worst of each."""

    def __init__(self, channels: Sequence[Channel]) -> None:
        self._channels = channels
        self.on_phase: Callable[[str], None] = lambda phase: None
        #: The phase that a signal to the parent began.
        self.ending: str | None = None
        self._last_phase = STARTING
        self._over = native.Event()
        self._thread = native.Thread(self._follow, "huey-phase")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End; ``changed`` is called with the last phase for sure."""
        self._over.set()
        self._thread.join(2 * PATIENCE)
        self._compare()

    def close(self) -> None:
        for channel in self._channels:
            channel.close()

    @property
    def name(self) -> str:
        return " ".join(channel.name for channel in self._channels)

    @property
    def phase(self) -> str:
        if self.ending is not None:
            return self.ending
        phases = {channel.ask()["phase"] for channel in self._channels}
        for phase in (STOPPING, RESTARTING, STARTING):
            if phase in phases:
                return phase
        return RUNNING

    def ill(self) -> list[str]:
        return self._reasons("ill")

    def unready(self) -> list[str]:
        return self._reasons("unready")

    def _reasons(self, about: str) -> list[str]:
        return [f"{each.name}: {reason}" for each in self._channels for reason in each.ask()[about]]

    def figures(self) -> Figures:
        rows = [channel.ask()["figures"] for channel in self._channels]
        return Figures(*map(sum, zip(*rows, strict=True)))

    def metrics(self) -> str:
        """Each sample with a label ``app``: several may have a queue of one name."""
        families: dict[str, list[str]] = {}
        for channel in self._channels:
            family = ""
            for text in channel.ask(metrics=True).get("metrics", "").split("\n")[:-1]:
                if text.startswith("# HELP "):
                    family = text
                    families.setdefault(family, [])
                elif text.startswith("# TYPE "):
                    if text not in families[family]:
                        families[family].append(text)
                else:
                    families[family].append(_labelled(text, channel.name))
        return "".join("\n".join([heading, *rows]) + "\n" for heading, rows in families.items())

    def _follow(self) -> None:
        while not self._over.wait(FRESH):
            self._compare()

    def _compare(self) -> None:
        phase = self.phase
        if phase != self._last_phase:
            self._last_phase = phase
            self.on_phase(phase)


def _labelled(sample: str, app: str) -> str:
    from hueyctl.answers.prometheus import escaped

    label = f'app="{escaped(app)}"'
    name, brace, rest = sample.partition("{")
    if brace:
        return f"{name}{{{label},{rest}"
    name, _, value = sample.partition(" ")
    return f"{name}{{{label}}} {value}"
