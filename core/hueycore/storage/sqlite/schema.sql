-- The whole storage of a queue. Everything is prefixed huey_, because the file may be the
-- application's own database. Times are POSIX seconds, durations are seconds.

create table huey_meta (
    name  text primary key,
    value text not null
) strict, without rowid;

-- One row per job for its whole life. The hot row: no payload, no result.
create table huey_job (
    seq              integer primary key,
    id               text    not null,
    queue            text    not null,
    task             text    not null,
    state            text    not null,
    reason           text,
    priority         real    not null default 0,
    run_at           real    not null,
    -- of a later stage: seconds from the moment its last parent delivered; of a scheduled job: what
    -- was asked for, 0 when run_at is a moment of its own
    delay            real    not null default 0,
    enqueued_at      real    not null,
    started_at       real,
    finished_at      real,
    expires_at       real,
    -- seconds from the moment it can begin, anew for each retry
    expires_in       real,
    scheduled_for    real,
    attempt          integer not null default 0,
    retries          integer not null default 0,
    retry_delay      real    not null default 0,
    retry_backoff    real    not null default 0,
    timeout          real,
    crashes          integer not null default 0,
    max_crashes      integer not null default 3,
    at_most_once     integer not null default 0,
    result_ttl       real,
    claim            integer not null default 0,
    worker           integer,
    claimed_at       real,
    -- 1: asked to stop; 2: to be interrupted as well; 3: out of time, its process is killed
    cancel_requested integer not null default 0,
    key_name         text,
    -- slots of rates that a refused run was promised: a JSON object {name: time}
    ticket           text,
    unique_key       text,
    -- for how long no other job of the task may have the key: until this one starts, or ends
    unique_until     text,
    -- next: the job that reads my result, as element slot of a list if I have one; of several
    -- such jobs the first: the others name me as their source
    next             integer,
    slot             integer,
    source           integer,
    -- results that the call needs, and how many of them have yet to come
    inputs           integer not null default 0,
    waits            integer not null default 0,
    -- 0: nothing yet; 1: a result; 2: that it is None; 3: that there will be none
    delivered        integer not null default 0,
    -- null: there is no result; 0: nobody has read it; 1: it was read
    taken            integer,
    preview          text,
    progress         text,
    errors           text,
    -- the name of the worker that ran it last
    ran_by           text,
    check (0 <= attempt and attempt <= claim),
    check (retries >= 0 and retry_delay >= 0 and waits >= 0),
    check ((at_most_once | coalesce(taken, 0) | (delivered >> 1)) in (0, 1)),
    check (cancel_requested between 0 and 3),
    check (taken is null or finished_at is not null),
    check (unique_until is null
        or (unique_key is not null and (unique_until = 'start' or unique_until = 'end'))),
    -- One CASE and no IN list: SQLite would build the list anew for every row that it checks.
    check (case state
        when 'pending' then worker is null and claimed_at is null and finished_at is null and waits = 0
        when 'running' then worker is not null and claimed_at is not null and finished_at is null
            and waits = 0 and claim >= 1
        when 'done' then worker is null and claimed_at is null and finished_at is not null
            and waits = 0
        when 'scheduled' then worker is null and claimed_at is null and finished_at is null
            and waits = 0
        when 'blocked' then worker is null and claimed_at is null and finished_at is null
        when 'dead' then worker is null and claimed_at is null and finished_at is not null
        when 'revoked' then worker is null and claimed_at is null and finished_at is not null
        when 'expired' then worker is null and claimed_at is null and finished_at is not null
        else 0 end)
) strict;

-- An id finds its job whatever the queue is: people say ids, and seldom a queue.
create unique index huey_job_id on huey_job (id, queue);
create index huey_job_pending on huey_job (queue, priority desc, run_at, seq) where state = 'pending';
create index huey_job_scheduled on huey_job (queue, run_at, seq) where state = 'scheduled';
create index huey_job_blocked on huey_job (queue, key_name, waits, priority desc, run_at, seq)
    where state = 'blocked';
create index huey_job_running on huey_job (worker) where state = 'running';
create index huey_job_key on huey_job (queue, key_name, state)
    where key_name is not null and finished_at is null;
create index huey_job_finished on huey_job (queue, state, finished_at) where finished_at is not null;
create index huey_job_ttl on huey_job (queue, finished_at) where taken = 0 and result_ttl is not null;
create index huey_job_expiry on huey_job (queue, expires_at)
    where expires_at is not null and state in ('scheduled', 'pending', 'blocked');
create index huey_job_next on huey_job (next) where next is not null;
create index huey_job_source on huey_job (source) where source is not null;
create unique index huey_job_unique on huey_job (queue, task, unique_key)
    where unique_until is not null and finished_at is null
        and (unique_until = 'end' or state <> 'running');

-- The bytes stay out of the hot row: SQLite rewrites a record at every transition. Two tables,
-- so that an ending appends its result and never rewrites the payload.
create table huey_payload (
    seq     integer primary key,
    payload blob not null
) strict;

create table huey_result (
    seq    integer primary key,
    queue  text not null,
    result blob not null
) strict;

-- What a job is called with besides its payload, when no parent's row can tell: the error that a
-- handler was called for, results that came with a job from another file.
create table huey_input (
    seq    integer not null,
    slot   integer not null,
    listed integer not null check (listed in (0, 1)),
    id     text    not null,
    state  text    not null,
    result blob,
    error  text,
    primary key (seq, slot)
) strict, without rowid;

create index huey_input_id on huey_input (id) where listed = 0;

-- Whom to call when a job fails for good: jobs to be born then, as JSON.
create table huey_handler (
    seq  integer primary key,
    jobs text not null
) strict;

-- A consumer process, or another process that holds a claim or a lock. It is alive while its
-- byte in the side file is locked; the row tells who it was.
create table huey_worker (
    id         integer primary key check (id between 1 and 4095),
    queue      text    not null,
    name       text    not null,
    host       text    not null,
    pid        integer not null,
    boot_id    text    not null,
    kind       text    not null,
    slots      integer not null check (slots >= 0),
    state      text    not null default 'running' check (state in ('running', 'stopping')),
    started_at real    not null,
    -- inode of the side file that holds its lock byte
    side       integer not null
) strict;

-- A schedule, and the job that each of its runs is. 'code' is what an application declares,
-- 'process' what a running consumer declared and takes away with it, 'stored' was made by hand.
create table huey_periodic (
    queue         text    not null,
    name          text    not null,
    task          text    not null,
    schedule      text    not null,
    tz            text,
    catch_up      text    not null default 'latest' check (catch_up in ('latest', 'skip', 'all')),
    grace         real    not null default 3600,
    next_run      real    not null,
    last_run      real,
    last_id       text,
    paused_at     real,
    paused_by     text,
    pause_reason  text,
    payload       blob    not null default x'',
    preview       text,
    options       text    not null default '{}' check (json_valid(options)),
    origin        text    not null default 'code' check (origin in ('code', 'process', 'stored')),
    primary key (queue, name)
) strict, without rowid;

create index huey_periodic_next on huey_periodic (queue, next_run) where paused_at is null;

-- Which consumers have a schedule in their code: while one of them lives, none other forgets it.
create table huey_declared (
    queue  text    not null,
    name   text    not null,
    worker integer not null,
    primary key (queue, name, worker)
) strict, without rowid;

-- What the code says of a task: how many of its jobs may run at once (null: any number) among
-- those of their key, and how fast they may start. key_name is null when it depends on the call.
create table huey_limit (
    queue    text not null,
    task     text not null,
    key_name text,
    at_once  integer check (at_once >= 1),
    rate     integer check (rate >= 1),
    per      real check (per > 0),
    burst    integer check (burst >= 1),
    primary key (queue, task),
    check ((rate is null) = (per is null) and (rate is null) = (burst is null))
) strict, without rowid;

-- What a key, or a rate, remembers besides its jobs: tat is the theoretical arrival time of the
-- generic cell rate algorithm, as the clock stood at seen; due is when time alone lets a blocked
-- job of the key go.
create table huey_key (
    queue text not null,
    name  text not null,
    tat   real,
    seen  real,
    due   real,
    primary key (queue, name)
) strict, without rowid;

create index huey_key_due on huey_key (queue, due) where due is not null;

create table huey_value (
    queue      text not null,
    kind       text not null check (kind in ('value', 'counter', 'lock')),
    name       text not null,
    value      blob,
    number     integer,
    owner      integer,
    expires_at real,
    created_at real not null,
    primary key (queue, kind, name)
) strict;

create index huey_value_expiry on huey_value (queue, expires_at) where expires_at is not null;

-- Revoked tasks, revoked ids that no job has yet, paused tasks.
create table huey_flag (
    queue  text    not null,
    kind   text    not null check (kind in (
        'revoked-task', 'revoked-id', 'paused-task', 'paused-scheduler')),
    name   text    not null,
    until  real,
    once   integer not null default 0 check (once in (0, 1)),
    since  real    not null,
    reason text,
    by     text,
    primary key (queue, kind, name)
) strict, without rowid;

create table huey_queue (
    queue        text primary key,
    paused_at    real,
    paused_until real,
    paused_by    text,
    pause_reason text,
    serializer   text,
    -- how many jobs are pending; counted once a process has a limit (max_pending)
    pending      integer,
    purged       integer not null default 0,
    -- whether events.sql records what becomes of its jobs
    events       integer not null default 0 check (events in (0, 1)),
    created_at   real    not null
) strict, without rowid;

-- Per minute and task. Histograms are sparse JSON objects {bucket: count}, four buckets per
-- doubling (hueycore.histogram).
create table huey_metric (
    queue    text    not null,
    minute   integer not null,
    task     text    not null,
    done     integer not null default 0,
    retried  integer not null default 0,
    dead     integer not null default 0,
    revoked  integer not null default 0,
    expired  integer not null default 0,
    run_s    real    not null default 0,
    run_max  real    not null default 0,
    run_hist text    not null default '{}',
    wait_hist text   not null default '{}',
    primary key (queue, minute, task)
) strict, without rowid;

-- What a job's own runs logged, as far as it was asked for.
create table huey_log (
    seq     integer not null,
    line    integer not null,
    queue   text    not null,
    attempt integer not null,
    at      real    not null,
    level   text    not null,
    message text    not null,
    primary key (seq, line)
) strict, without rowid;

-- What happened, in the order of the commits: moves of jobs, written by the triggers of events.sql,
-- and operators' verbs (worker is the operator then, jobs how many they changed).
create table huey_event (
    event  integer primary key autoincrement,
    queue  text    not null,
    at     real    not null,
    signal text    not null,
    seq    integer,
    id     text,
    task   text,
    worker text,
    run_s  real,
    error  text,
    reason text,
    jobs   integer
) strict;

create index huey_event_queue on huey_event (queue);

-- For people with a sqlite3 shell; its columns are stable.
create view huey_jobs as
    select seq, id, queue, task, state, reason, priority, attempt, retries, crashes, preview as args,
        datetime(enqueued_at, 'unixepoch') as enqueued,
        datetime(run_at, 'unixepoch') as run_at,
        datetime(started_at, 'unixepoch') as started,
        datetime(finished_at, 'unixepoch') as finished,
        progress, errors
    from huey_job;

insert into huey_meta (name, value) values ('schema', '3');
