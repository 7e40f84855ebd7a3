"""Between the workers of one process and the storage: claims on one side, endings on the other.

A worker that runs out of claims exchanges all endings so far for the next group, so that many short
jobs share a commit. One helper thread does the exchanges that no worker does: when every worker is
busy, or asleep.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

from hueycore.consumer import switch
from hueycore.consumer.ahead import Ahead
from hueycore.consumer.outbox import OnCommit, Outbox
from hueycore.consumer.pace import Load, Pace, Suspects
from hueycore.consumer.trouble import Trouble, will_pass
from hueycore.exceptions import StorageError
from hueycore.model.endings import Released, Retry, Snoozed
from hueycore.model.jobs import Claim, Ended, Exchange, Want
from hueycore.runs.finished import Finished
from hueycore.storage.protocol.workers import Workers
from hueycore.system import clock, native
from hueycore.system.scarcity import is_scarcity, sit_out

logger = logging.getLogger("hueycore.consumer")

#: Seconds after the last commit until the helper commits endings that no worker has committed.
ENDING_AGE = 0.010
#: Seconds that a claim waits for a worker before it is given back.
CLAIM_AGE = 0.05
#: Seconds that the helper sleeps at most.
PATIENCE = 0.5
#: Pause after a wake-up that brought nothing, seconds.
EMPTY_PAUSE = 0.005
#: Seconds between two hints to the scheduler, of exchanges that may have followed news.
NEWS_INTERVAL = 0.02
#: Endings after which the scheduler has the job next.
_SCHEDULED = (Retry, Snoozed)


class Feed:
    """``on_commit`` is called after each commit, in order and in a thread of its own; ``on_news``
    when there may be something to promote; ``on_fatal`` when the storage cannot be used any more;
    ``on_beat`` by the helper, with the seconds until its next round."""

    def __init__(
        self,
        storage: Workers,
        worker: int,
        *,
        on_commit: OnCommit,
        on_news: Callable[[], None],
        on_fatal: Callable[[StorageError], None],
        on_beat: Callable[[float], None] = lambda pause: None,
        workers: int = 1,
    ) -> None:
        self._storage = storage
        self._worker = worker
        self._on_news = on_news
        self._on_fatal = on_fatal
        self._on_beat = on_beat
        self._claims: deque[Claim] = deque()
        self._claimed_at = 0.0
        self._exchanged_at = 0.0
        self._news_at = 0.0
        self._endings: list[Finished] = []
        self._lock = native.Lock()
        self._idle = native.Condition()
        self._waiting = 0
        #: How many of the waiting workers are served by the thread that calls ``take``.
        self._served = 0
        self._closed = False
        self._gone = False
        self._suspects = Suspects()
        self._pace = Pace(workers, overlaps=storage.overlaps)
        self._load = Load()
        self._ahead = Ahead(storage, worker, self._pace, self._load)
        #: Whether the next job is ready and did not fit into the last exchange.
        self._more = False
        self._outbox = Outbox(on_commit)
        self._trouble = Trouble()
        self._asleep = False
        self._wake = native.Event()
        self._helper = native.Thread(self._help, "huey-feed")

    def next(self, on_idle: Callable[[], None]) -> Claim | None:
        """The next job for this worker, waiting for it; None when the worker has to leave.
        ``on_idle`` is called when none is at hand."""
        while not self._closed:
            try:
                claim = self._claims.popleft()
            except IndexError:
                on_idle()
                self._exchange_for_me(1)
            else:
                if self._asleep and self._endings:
                    self._wake_helper()
                return claim
            with self._idle:
                if not self._claims and not self._closed:
                    self._waiting += 1
                    try:
                        self._wake_helper()
                        self._idle.wait()
                    finally:  # an exception may be thrown into a thread that waits here
                        self._waiting -= 1
        return None

    def poll(self) -> Claim | None:
        """The next job that is claimed already, without waiting."""
        try:
            return None if self._closed else self._claims.popleft()
        except IndexError:
            return None

    def take(self, free: Callable[[], int]) -> list[Claim]:
        """For a thread that serves many workers: the next jobs, at least one and at most as many as
        workers are ``free``, waiting for them; none when the workers have to leave."""
        while not self._closed:
            wanted = free()
            claims: list[Claim] = []
            while len(claims) < wanted and (claim := self.poll()) is not None:
                claims.append(claim)
            if claims:
                return claims
            self._exchange_for_me(wanted)
            with self._idle:
                if not self._claims and not self._closed:
                    self._served = free()
                    self._waiting += self._served
                    self._wake_helper()
                    self._idle.wait()
                    self._waiting -= self._served
                    self._served = 0
        return []

    def one_more(self) -> None:
        """One more of the workers that ``take`` serves is free, maybe while ``take`` waits."""
        with self._idle:
            if self._served:
                self._served += 1
                self._waiting += 1

    def give_back(self, claims: Iterable[Claim]) -> None:
        """These claims were taken and not started."""
        for claim in claims:
            self.end(Finished(Ended(claim, Released())))

    def end(self, finished: Finished) -> None:
        """Hand in a run that is over; it is committed within milliseconds."""
        self.hand_in(finished)
        if self._asleep:
            self._wake_helper()

    def hand_in(self, finished: Finished) -> None:
        """``end`` for callers of ``next`` or ``flush`` right after it, which commit the ending.
        Waking the helper takes milliseconds among threads that compute."""
        self._endings.append(finished)
        self._suspects.end(finished.ended.claim)

    def flush(self) -> bool:
        """Commit the endings now; False when the storage fails at the moment."""
        with self._lock:
            return not (self._endings or self._ahead.sent) or self._exchange(0)

    def flush_for_sure(self) -> bool:
        """Commit the endings, however long it takes; False when the feed is abandoned."""
        while not self.flush():
            if self._gone:
                return False
            native.sleep(0.1)
        return True

    def start(self) -> None:
        self._helper.start()
        self._outbox.start()

    def stop(self) -> None:
        """No job begins from now on, and idle workers leave. Waits for nothing."""
        self._closed = True
        with self._idle:
            self._idle.notify_all()

    def close(self) -> None:
        """No new claims; those that are not started are given back at once."""
        self.stop()
        with self._lock:
            self._receive()  # an exchange under way still brings claims
        self._give_back()
        self.flush()

    def leave(self) -> bool:
        """All workers are gone: commit the rest and end the helper. False when the endings cannot
        be written."""
        self._trouble.forget_pause()
        kept = self.flush()
        if self._claims:  # an answer that was lost has brought them
            self._give_back()
            kept = self.flush()
        self.abandon()
        return kept

    def abandon(self) -> None:
        """End the helper without a commit. The signals of what is committed are still sent."""
        self._gone = True
        self._wake_helper()
        self._helper.join(5)
        self._outbox.close()

    @property
    def trouble(self) -> str | None:
        """The error of a storage that fails at the moment."""
        return self._trouble.error

    @property
    def closed(self) -> bool:
        return self._closed

    def is_sending(self, thread: int) -> bool:
        """Whether ``thread`` is the one that sends signals."""
        return self._outbox.is_thread(thread)

    @property
    def held(self) -> int:
        """Claims that no worker has started."""
        return len(self._claims)

    @property
    def unwritten(self) -> int:
        """Endings that are not committed yet."""
        return len(self._endings)

    def _exchange_for_me(self, free: int) -> None:
        with self._lock:
            if not self._claims and not self._closed:
                self._receive()
                if not self._claims:
                    self._exchange(free + self._waiting)
                self._send_ahead()
            found = len(self._claims)
        if found > free:
            self._notify(found - free)
        if self._more and self._waiting:
            self._wake_helper()
        while self._outbox.is_full() and not self._closed:
            native.sleep(0.001)  # receivers that are slower than the jobs slow these down

    def _exchange(self, free: int) -> bool:
        """Called under the lock. Endings stay here until they are committed; False on trouble."""
        if not self._receive() or self._trouble.rest() > 0:
            return False
        # The same list object stays in place, because workers append to it without the lock.
        batch = self._endings[:]
        self._pace.learn(batch)
        *before, (last, size) = self._load.parts(batch)
        for part, _ in before:
            if not self._exchange_part(part, Want(0)):
                return False
        wanted = 0 if self._closed else free
        room = max(0, self._load.bytes - size)
        want = Want(wanted, self._pace.quick, *self._suspects.may_begin(), bytes=room)
        return self._exchange_part(last, want)

    def _exchange_part(self, batch: list[Finished], want: Want) -> bool:
        endings = [done.ended for done in batch]
        return self._commit(batch, partial(self._storage.exchange, self._worker, endings, want))

    def _send_ahead(self) -> None:
        try:
            if not self._closed and self._ahead.send(self._claims, self._endings[:]):
                self._exchanged_at = clock.monotonic()
        except Exception as error:
            self._fail(error)

    def _receive(self) -> bool:
        """Take in the exchange that was sent ahead, if there is one; False on trouble."""
        waits = self._ahead.sent is not None and self._trouble.rest() > 0
        return not waits and self._ahead.receive(self._commit)

    def _commit(self, batch: list[Finished], exchange: Callable[[], Exchange]) -> bool:
        self._more = False
        try:
            got = switch.hurry(exchange)
        except Exception as error:
            self._fail(error)
            return False
        self._load.grow()
        del self._endings[: len(batch)]
        self._more = got.held is not None
        self._exchanged_at = clock.monotonic()
        recent = self._exchanged_at - self._news_at < NEWS_INTERVAL
        if any(type(done.ended.ending) in _SCHEDULED for done in batch) or (
            (batch or got.claims) and not recent
        ):
            self._news_at = self._exchanged_at
            self._on_news()  # nobody listens to the bell while all workers are busy
        if self._trouble.pause:
            logger.warning("the storage works again")
            self._trouble.end()
        if got.claims:
            self._claimed_at = clock.monotonic()
            if got.claims[0].crashes:
                self._suspects.begin(got.claims[0])
            self._claims.extend(got.claims)
        found = got.lost or got.stopped or got.unwritable or got.revoked or got.expired
        if found or any(done.notices for done in batch):
            self._outbox.put(got, batch)
        return True

    def _fail(self, error: Exception) -> None:
        if isinstance(error, MemoryError):
            self._load.shrink()
        self._back_off(error if isinstance(error, StorageError) else StorageError(repr(error)))

    def _back_off(self, error: StorageError) -> None:
        self._trouble.grow(error)
        if will_pass(error):
            waiting, pause = len(self._endings), self._trouble.pause
            logger.error("%s; %d endings wait, next try in %.1f s", error, waiting, pause)
        else:
            self._on_fatal(error)

    def _give_back(self) -> None:
        """The claims that no worker has taken."""
        claims = []
        while self._claims:
            try:
                claims.append(self._claims.popleft())
            except IndexError:
                break
        self.give_back(claims)

    def _notify(self, number: int) -> None:
        with self._idle:
            self._idle.notify(number)

    def _help(self) -> None:
        while not self._gone:
            self._on_beat(max(PATIENCE, self._trouble.pause))
            try:
                self._help_once()
            except StorageError as error:
                self._back_off(error)
                self._pause(self._trouble.pause)
            except Exception as error:
                if is_scarcity(error):
                    self._back_off(StorageError(str(error)))
                    self._pause(self._trouble.pause)
                else:
                    logger.exception("the feed's helper failed; it goes on")
                    self._pause(1.0)

    def _pause(self, seconds: float) -> None:
        sit_out(seconds, self._wake, lambda: self._gone)

    def _help_once(self) -> None:
        if self._endings or self._claims or self._ahead.sent:
            self._wake.clear()
            # An exchange since the last round has begun the time of the endings anew.
            since = clock.monotonic() - self._exchanged_at
            rest = ENDING_AGE - since if since < ENDING_AGE else ENDING_AGE
            self._wake.wait(max(rest, self._trouble.rest()))
            self._do_what_no_worker_did()
            return
        if self._closed or not self._waiting:
            self._sleep()
            return
        self._asleep = True
        try:
            at_once = self._endings or self._more
            news = not at_once and self._storage.wait(self._suspects.pause() or PATIENCE)
        finally:
            self._asleep = False
        if news:
            self._on_news()
        # Also without news: a look costs microseconds, and no job may depend on a bell.
        if not at_once and not news and not self._storage.glance().pending:
            return
        if not self._fetch() and news:
            self._wake.wait(EMPTY_PAUSE)

    def _sleep(self) -> None:
        self._asleep = True
        # An ending that came before the flag was set has not woken the helper.
        if not self._endings:
            self._wake.wait(PATIENCE)
        self._asleep = False
        self._wake.clear()

    def _wake_helper(self) -> None:
        self._wake.set()
        if self._asleep:
            self._storage.nudge()

    def _do_what_no_worker_did(self) -> None:
        due = clock.monotonic() - self._exchanged_at >= ENDING_AGE
        if due and self._ahead.sent:
            with self._lock:
                self._receive()
        if self._claims and not self._waiting:
            if clock.monotonic() - self._claimed_at > CLAIM_AGE:
                self._give_back()
        elif self._claims:
            self._notify(len(self._claims))
        if due and self._endings:
            self.flush()

    def _fetch(self) -> bool:
        """Claim jobs for the workers that sleep."""
        with self._lock:
            if not self._claims and not self._closed and self._waiting:
                self._exchange(self._waiting)
            found = len(self._claims)
        if found:
            self._notify(found)
        return found > 0
