"""What a command works with: settings, output, the application, the storage."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from hueyctl import collector, config, errors, exits, streams
from hueyctl.settings import Rank, Settings, settings_from, stored

if TYPE_CHECKING:
    from hueycore import Huey
    from hueycore.storage.base import Storage
    from hueycore.storage.open import Location
    from hueyctl.output.output import Output

DEFAULT_FILE = "huey.db"
#: The options that say where the queue is, as they are read.
_PLACE = {"app_dir": "--app-dir", "app": "-A", "url": "-u"}
_WHERE = "say where the queue is: --app MODULE:ATTR or --url sqlite:///queue.db"


class Session:
    """One run of one command. The application and the storage are opened when first used, and
    closed at the end."""

    def __init__(self, ctx: click.Context) -> None:
        self.ctx = ctx
        self.settings: Settings = settings_from(ctx.meta)
        ctx.color = {"always": True, "never": False}.get(self.settings.color)
        config.check_command(ctx)
        self._output: Output | None = None
        self._app: Huey | None = None
        self._location: Location | None = None
        self._storages: dict[tuple[Location, str, bool], Storage] = {}

    @property
    def output(self) -> Output:
        if self._output is None:
            from hueyctl.output.output import Output

            self._output = Output(self.settings)
        return self._output

    def notice(self, text: str) -> None:
        """Something to know; -q silences it."""
        if not self.settings.quiet:
            streams.say(f"hueyctl: {streams.visible(streams.masked(text))}")

    @property
    def remarks(self) -> bool:
        """Whether ``remark`` says anything."""
        return not self.settings.quiet and streams.is_tty(sys.stderr)

    def remark(self, text: str) -> None:
        """Something only a person wants to read, never a log file."""
        if self.remarks:
            streams.say(streams.visible(streams.masked(text)))

    @property
    def has_app(self) -> bool:
        return bool(self.settings.app)

    @property
    def may_import(self) -> bool:
        """Whether a command that only looks may import the application: not if it was named by a
        config file alone. To look into a folder must not run what lies there."""
        if self._app is not None:
            return True
        given = stored(self.ctx.meta).get("app")
        return self.has_app and given is not None and given.rank > Rank.FILE

    @property
    def knows_a_queue(self) -> bool:
        """Whether a command that only looks would find one without being told more."""
        return bool(self.settings.url or self.may_import or os.path.isfile(DEFAULT_FILE))

    def app_to_look(self) -> Huey:
        """The application, in a command that only looks."""
        if self.has_app and not self.may_import and self._app is None:
            raise errors.usage(
                f"only a config file names the application {self.settings.app!r}: a command that "
                "only looks does not import it",
                f"say --app {self.settings.app}, or where the queue is, with --url or in the file",
            )
        return self.app()

    def app(self, name: str | None = None) -> Huey:
        """The application that was named. Imported once."""
        if self._app is None or name is not None:
            wanted = name or self.settings.app
            if not wanted:
                raise errors.usage("no application was named", "say --app MODULE:ATTR")
            from hueyctl.apps import load

            self._app = load(wanted, self.settings.app_dir)
        return self._app

    def app_to_write(self, name: str | None = None, *, create: bool = False) -> Huey:
        """The application, with its storage where --url and --queue say. Nothing is opened yet."""
        huey = self.app(name)
        self.ctx.call_on_close(huey.close)
        if len(self.settings.queues) > 1:
            raise errors.usage("this command works on one queue", "say --queue once")
        location = self.location(looking=False)
        if location is None and not self.settings.queues:
            return huey
        huey.close()
        if location is not None:
            if not huey.location.shared:
                raise errors.usage("the application keeps its queue in memory", "leave out --url")
            if not create:
                self._open(location, "huey", read_only=True)
            huey.location = location
            huey.name = location.queue or huey.name
        if self.settings.queues:
            huey.name = self.settings.queues[0]
        return huey

    def make_queue(self, huey: Huey) -> None:
        """Make the file of an application that has none yet, and say so."""
        from hueyctl.files import make_queue

        made = make_queue(huey)
        if made is not None:
            self.notice(f"created {made}")

    def location(self, *, looking: bool = True) -> Location | None:
        """What --url names, or huey.db here for commands that only look."""
        if self._location is None and self.settings.url:
            from hueyctl.urls import parse_url

            self._location = parse_url(self.settings.url)
        if self._location is None and looking and not self.has_app and os.path.isfile(DEFAULT_FILE):
            from hueycore.storage.open import SqliteLocation

            self.remark(f"hueyctl: using {os.path.abspath(DEFAULT_FILE)}")
            self._location = SqliteLocation(DEFAULT_FILE)
        return self._location

    def next_step(self, line: str) -> str:
        """The command line of an answer. A person gets it as it works when it is pasted: with
        where the queue is, if that was said on the command line or found in this folder."""
        from hueyctl.answers.reason import located

        return located(line, *self._place()) if self.output.on_tty else line

    def _place(self) -> list[str]:
        words = place_said(self.ctx)
        if self._location is not None and not self.settings.url and not self.has_app:
            words += ["-u", self._location.filename]
        return words

    def default_to(self, filename: str) -> None:
        """Work on this file, or URL, unless an application or --url says where the queue is."""
        if not self.settings.url and not self.has_app:
            from hueyctl.urls import parse_url

            self._location = parse_url(filename)

    def looking(self, queue: str | None = None) -> Storage:
        """The storage, opened for reading only. ``queue`` matters where a verb is about one."""
        location = self.where()
        queue = queue or self._first_queue(location) or "huey"
        if self._location is not None:
            return self._open(location, queue, read_only=True)
        from hueycore.exceptions import StorageMissing

        try:
            return self._open(location, queue, read_only=True)
        except StorageMissing as error:
            hint = "the application makes it with its first job"
            raise errors.CliError(f"{error} yet", exits.UNAVAILABLE, hint) from error

    def writing(self, queue: str | None = None, *, create: bool = False) -> Storage:
        """The storage of one queue, opened for writing."""
        if len(self.settings.queues) > 1 and queue is None:
            raise errors.usage("this command writes to one queue", "say --queue once")
        location = self.location(looking=False)
        if location is None:
            # The application makes its own file at its first use, and so does this.
            location, create = self.app_location(), True
        if not create:
            # Opened for writing, a database without a queue would get one.
            self._open(location, "huey", read_only=True)
        if queue is None:
            queue = self._first_queue(location)
        if queue is None:
            queue = self.app().name if self.has_app else self._only_queue(location)
        return self._open(location, queue, read_only=False, create=create)

    def other(self, url: str) -> Storage:
        """Another storage than the one that this command is about, opened for writing."""
        from hueyctl.urls import parse_url

        location = parse_url(url)
        self._open(location, "huey", read_only=True)
        return self._open(location, "huey", read_only=False)

    def queues(self) -> tuple[str, ...]:
        """The queues that were chosen, none for all."""
        if self.settings.queues:
            return self.settings.queues
        location = self.location()
        return (location.queue,) if location is not None and location.queue else ()

    def check_queues(self, storage: Storage) -> tuple[str, ...]:
        """``queues()``, when the storage has them all. Exit 3 otherwise."""
        wanted = self.queues()
        if wanted:
            known = [row.queue for row in storage.queues()]
            for name in wanted:
                if name not in known:
                    raise unknown_queue(name, known)
        return wanted

    def app_location(self) -> Location:
        """Where the application has its queue. It is opened apart from the application's own
        storage, so that looking can neither create nor write it."""
        if not self.has_app:
            here = os.path.isfile(DEFAULT_FILE)
            hint = f"--url {DEFAULT_FILE}, if the one in this folder is meant" if here else _WHERE
            raise errors.usage("no application and no storage was named", hint)
        location = self.app().location
        if not location.shared:
            raise errors.CliError(
                f"the storage of {self.settings.app!r} lives in the memory of one process",
                exits.UNAVAILABLE,
                "other processes can see a SqliteHuey",
            )
        return location._replace(queue=None)

    def where(self) -> Location:
        """Where the queue is, for a command that looks: what --url names, else where the
        application has it."""
        location = self.location()
        if location is None and self.has_app:
            self.app_to_look()
        return location or self.app_location()

    def _first_queue(self, location: Location) -> str | None:
        return self.settings.queues[0] if self.settings.queues else location.queue

    def _only_queue(self, location: Location) -> str:
        """The queue of a storage that has no other, or the usual name when it has none yet."""
        from hueycore.exceptions import StorageCorrupt, StorageMissing

        try:
            storage = self._open(location, "huey", read_only=True)
        except (StorageMissing, StorageCorrupt):
            return "huey"  # --create makes it, or the opening for writing says what is wrong
        known = [row.queue for row in storage.queues()]
        if len(known) > 1:
            raise errors.usage(
                f"there are several queues: {', '.join(known)}", "choose one with --queue"
            )
        return known[0] if known else "huey"

    def _open(
        self, location: Location, queue: str, *, read_only: bool, create: bool = False
    ) -> Storage:
        key = (location, queue, read_only)
        if key not in self._storages:
            from hueycore.storage.open import open_storage
            from hueyctl.operator import operator

            if location.is_file and os.path.isdir(location.filename):
                raise errors.CliError(f"{location.filename} is a directory", exits.UNAVAILABLE)
            missing = create and self._is_missing(location)
            storage = open_storage(
                location,
                queue,
                create=create,
                read_only=read_only,
                operator=None if read_only else operator(),
            )
            self.ctx.call_on_close(storage.close)
            self._storages[key] = storage
            if missing:
                self.notice(f"created {_path(location) or storage.url}")
            collector.work()
        return self._storages[key]

    def _is_missing(self, location: Location) -> bool:
        """Whether there is no file, or no schema in the database, yet."""
        from hueycore.exceptions import StorageCorrupt, StorageMissing

        if location.is_file:
            return not os.path.exists(location.filename)
        try:
            self._open(location, "huey", read_only=True)
        except (StorageMissing, StorageCorrupt):
            return True
        return False


def _path(location: Location) -> str | None:
    return os.path.abspath(location.filename) if location.is_file else None


def unknown_queue(name: str, known: list[str]) -> errors.CliError:
    from difflib import get_close_matches

    near = get_close_matches(name, known, 1)
    if near:
        hint = f"did you mean {near[0]!r}?"
    else:
        hint = f"queues are {', '.join(known)}" if known else "there is no queue yet"
    return errors.CliError(f"no queue {name!r}", exits.NOT_FOUND, hint)


def place_said(ctx: click.Context) -> list[str]:
    """The options of this command line that say where the queue is; none that holds a password."""
    named = config.named_file(ctx)
    words = ["--config", named] if named is not None else []
    for name, option in _PLACE.items():
        given = stored(ctx.meta).get(name)
        if given and given.value and given.rank == Rank.COMMAND_LINE:
            words += [option, given.value] if streams.masked(given.value) == given.value else []
    return words
