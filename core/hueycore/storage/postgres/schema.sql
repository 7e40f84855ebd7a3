-- The whole storage of a queue. Everything is prefixed huey_, because the schema may be the
-- application's own. Times are POSIX seconds, durations are seconds. Names compare by their bytes.

create sequence huey_seq;
create sequence huey_worker_id as integer;

create table huey_meta (
    name  text collate "C" primary key,
    value text not null
);

-- What every row of a job is held to, whoever writes it. In a function, because the server reads the
-- text of a table's constraints anew for each statement: as long as this they took a third of the
-- time of an insert. One expression, because each is made ready anew in every transaction.
create function huey_is_sound(
    state text, worker integer, claimed_at double precision, finished_at double precision,
    claim integer, attempt integer, retries integer, retry_delay double precision, waits integer,
    at_most_once integer, cancel_requested integer, delivered integer, taken integer,
    unique_key text, unique_until text
) returns boolean language plpgsql immutable as $$
begin
    return 0 <= attempt and attempt <= claim
        and retries >= 0 and retry_delay >= 0 and waits >= 0
        and (at_most_once | coalesce(taken, 0) | (delivered >> 1)) in (0, 1)
        and cancel_requested between 0 and 3
        and (taken is null or finished_at is not null)
        and (unique_until is null
            or (unique_key is not null and unique_until in ('start', 'end')))
        and state in ('scheduled', 'pending', 'blocked', 'running', 'done', 'dead', 'revoked',
            'expired')
        and (finished_at is null) = (state in ('scheduled', 'pending', 'blocked', 'running'))
        and num_nonnulls(worker, claimed_at) = case state when 'running' then 2 else 0 end
        and (state <> 'running' or claim >= 1)
        and (waits = 0 or state in ('blocked', 'dead', 'revoked', 'expired'));
end $$;

-- One row per job for its whole life. The hot row: no payload, no result.
create table huey_job (
    seq              bigint primary key,
    id               text collate "C"    not null,
    queue            text collate "C"    not null,
    task             text collate "C"    not null,
    state            text    not null,
    reason           text,
    priority         double precision    not null default 0,
    run_at           double precision    not null,
    -- of a later stage: seconds from the moment its last parent delivered; of a scheduled job: what
    -- was asked for, 0 when run_at is a moment of its own
    delay            double precision    not null default 0,
    enqueued_at      double precision    not null,
    started_at       double precision,
    finished_at      double precision,
    expires_at       double precision,
    -- seconds from the moment it can begin, anew for each retry
    expires_in       double precision,
    scheduled_for    double precision,
    attempt          integer not null default 0,
    retries          integer not null default 0,
    retry_delay      double precision    not null default 0,
    retry_backoff    double precision    not null default 0,
    timeout          double precision,
    crashes          integer not null default 0,
    -- 1: its worker died, and nobody knows whether it had begun
    suspect          integer not null default 0,
    max_crashes      integer not null default 3,
    at_most_once     integer not null default 0,
    result_ttl       double precision,
    claim            integer not null default 0,
    worker           integer,
    claimed_at       double precision,
    -- 1: asked to stop; 2: to be interrupted as well; 3: out of time, its process is killed
    cancel_requested integer not null default 0,
    key_name         text collate "C",
    -- slots of rates that a refused run was promised: a JSON object {name: time}
    ticket           text,
    unique_key       text collate "C",
    -- for how long no other job of the task may have the key: until this one starts, or ends
    unique_until     text,
    -- next: the job that reads my result, as element slot of a list if I have one; of several
    -- such jobs the first: the others name me as their source
    next             bigint,
    slot             integer,
    source           bigint,
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
    ran_by           text collate "C",
    constraint huey_job_is_sound check (huey_is_sound(
        state, worker, claimed_at, finished_at, claim, attempt, retries, retry_delay, waits,
        at_most_once, cancel_requested, delivered, taken, unique_key, unique_until))
);

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

-- The bytes stay out of the hot row, which is written anew at every transition. Two tables, so that
-- an ending appends its result and never rewrites the payload.
create table huey_payload (
    seq     bigint primary key,
    payload bytea not null
);

create table huey_result (
    seq    bigint primary key,
    queue  text collate "C" not null,
    result bytea not null
);

-- What a job is called with besides its payload, when no parent's row can tell: the error that a
-- handler was called for, results that came with a job from another file.
create table huey_input (
    seq    bigint not null,
    slot   integer not null,
    listed integer not null check (listed in (0, 1)),
    id     text collate "C"    not null,
    state  text    not null,
    result bytea,
    error  text,
    primary key (seq, slot)
);

create index huey_input_id on huey_input (id) where listed = 0;

-- Whom to call when a job fails for good: jobs to be born then, as JSON.
create table huey_handler (
    seq  bigint primary key,
    jobs text not null
);

-- A consumer process, or another process that holds a claim or a lock. It is alive while a session
-- holds the advisory lock of its number; the row tells who it was.
create table huey_worker (
    id         integer primary key,
    queue      text collate "C"    not null,
    name       text collate "C"    not null,
    host       text    not null,
    pid        integer not null,
    boot_id    text    not null,
    kind       text collate "C"    not null,
    slots      integer not null check (slots >= 0),
    state      text    not null default 'running' check (state in ('running', 'stopping')),
    started_at double precision    not null,
    -- the space of process numbers that pid belongs to
    side       bigint not null,
    -- what it has begun and not ended, as JSON
    started    text,
    -- when its lock was found missing for the first time
    lost_at    double precision
);

-- Runs that were ended in transactions of the application's own, and whose consequences are yet to
-- be written: with the next exchange of the worker, or with its recovery.
create table huey_completed (
    seq    bigint primary key,
    worker integer not null
);

-- A schedule, and the job that each of its runs is. 'code' is what an application declares,
-- 'process' what a running consumer declared and takes away with it, 'stored' was made by hand.
create table huey_periodic (
    queue         text collate "C"    not null,
    name          text collate "C"    not null,
    task          text collate "C"    not null,
    schedule      text    not null,
    tz            text,
    catch_up      text    not null default 'latest' check (catch_up in ('latest', 'skip', 'all')),
    grace         double precision    not null default 3600,
    next_run      double precision    not null,
    last_run      double precision,
    last_id       text,
    paused_at     double precision,
    paused_by     text,
    pause_reason  text,
    payload       bytea    not null default '',
    preview       text,
    options       text    not null default '{}' check (options::json is not null),
    origin        text    not null default 'code' check (origin in ('code', 'process', 'stored')),
    primary key (queue, name)
);

create index huey_periodic_next on huey_periodic (queue, next_run) where paused_at is null;

-- Which consumers have a schedule in their code: while one of them lives, none other forgets it.
create table huey_declared (
    queue  text collate "C"    not null,
    name   text collate "C"    not null,
    worker integer not null,
    primary key (queue, name, worker)
);

-- What the code says of a task: how many of its jobs may run at once (null: any number) among
-- those of their key, and how fast they may start. key_name is null when it depends on the call.
create table huey_limit (
    queue    text collate "C" not null,
    task     text collate "C" not null,
    key_name text collate "C",
    at_once  integer check (at_once >= 1),
    rate     integer check (rate >= 1),
    per      double precision check (per > 0),
    burst    integer check (burst >= 1),
    primary key (queue, task),
    check ((rate is null) = (per is null) and (rate is null) = (burst is null))
);

-- What a key, or a rate, remembers besides its jobs: tat is the theoretical arrival time of the
-- generic cell rate algorithm, as the clock stood at seen; due is when time alone lets a blocked
-- job of the key go.
create table huey_key (
    queue text collate "C" not null,
    name  text collate "C" not null,
    tat   double precision,
    seen  double precision,
    due   double precision,
    primary key (queue, name)
);

create index huey_key_due on huey_key (queue, due) where due is not null;

-- Keys to be settled by the next who is alone in the queue: of jobs that were born in transactions
-- that were not. It is only added to, so that nobody waits.
create table huey_todo (
    queue text collate "C" not null,
    key   text collate "C" not null
);

create index huey_todo_queue on huey_todo (queue);

create table huey_value (
    queue      text collate "C" not null,
    kind       text collate "C" not null check (kind in ('value', 'counter', 'lock')),
    name       text collate "C" not null,
    value      bytea,
    number     bigint,
    owner      integer,
    expires_at double precision,
    created_at double precision not null,
    primary key (queue, kind, name)
);

create index huey_value_expiry on huey_value (queue, expires_at) where expires_at is not null;

-- Revoked tasks, revoked ids that no job has yet, paused tasks.
create table huey_flag (
    queue  text collate "C"    not null,
    kind   text collate "C"    not null check (kind in (
        'revoked-task', 'revoked-id', 'paused-task', 'paused-scheduler')),
    name   text collate "C"    not null,
    until  double precision,
    once   integer not null default 0 check (once in (0, 1)),
    since  double precision    not null,
    reason text,
    by     text,
    primary key (queue, kind, name)
);

create table huey_queue (
    queue        text collate "C" primary key,
    paused_at    double precision,
    paused_until double precision,
    paused_by    text,
    pause_reason text,
    serializer   text,
    -- how many jobs are pending; counted once a process has a limit (max_pending)
    pending      bigint,
    purged       bigint not null default 0,
    -- whether events.sql records what becomes of its jobs
    events       integer not null default 0 check (events in (0, 1)),
    created_at   double precision    not null
);

-- Per minute and task. Histograms are sparse JSON objects {bucket: count}, four buckets per
-- doubling (hueycore.histogram).
create table huey_metric (
    queue    text collate "C"    not null,
    minute   bigint not null,
    task     text collate "C"    not null,
    done     bigint not null default 0,
    retried  bigint not null default 0,
    dead     bigint not null default 0,
    revoked  bigint not null default 0,
    expired  bigint not null default 0,
    run_s    double precision    not null default 0,
    run_max  double precision    not null default 0,
    run_hist text    not null default '{}',
    wait_hist text   not null default '{}',
    primary key (queue, minute, task)
);

-- What a job's own runs logged, as far as it was asked for.
create table huey_log (
    seq     bigint not null,
    line    integer not null,
    queue   text collate "C"    not null,
    attempt integer not null,
    at      double precision    not null,
    level   text    not null,
    message text    not null,
    primary key (seq, line)
);

-- What happened: moves of jobs, written by the triggers of events.sql,
-- and operators' verbs (worker is the operator then, jobs how many they changed).
create table huey_event (
    event  bigint primary key generated by default as identity,
    queue  text collate "C"    not null,
    at     double precision    not null,
    signal text collate "C"    not null,
    seq    bigint,
    id     text collate "C",
    task   text collate "C",
    worker text collate "C",
    run_s  double precision,
    error  text,
    reason text,
    jobs   integer
);

create index huey_event_queue on huey_event (queue);

-- For people with psql; its columns are stable.
create view huey_jobs as
    select seq, id, queue, task, state, reason, priority, attempt, retries, crashes, preview as args,
        to_timestamp(enqueued_at) as enqueued,
        to_timestamp(run_at) as run_at,
        to_timestamp(started_at) as started,
        to_timestamp(finished_at) as finished,
        progress, errors
    from huey_job;


-- Cleaned by what was changed, not by a share of what is there: a drained queue reads its dead rows
-- at each look.
alter table huey_job set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0);
alter table huey_payload set (autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);
alter table huey_result set (autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);
alter table huey_key set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0);
alter table huey_queue set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0);
alter table huey_worker set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0);

-- A field of the last object in a JSON list. One row that somebody else wrote to is not an error of
-- a whole query.
create function huey_last(list text, key text) returns text language plpgsql immutable as $$
begin
    return list::json -> -1 ->> key;
exception when others then
    return null;
end $$;

-- The sum of two histograms; what somebody else wrote into them does not count.
create function huey_added(stored text, more text) returns text language plpgsql immutable as $$
begin
    return (
        select '{' || coalesce(
            string_agg(format('"%s":%s', bucket, number), ',' order by bucket), '') || '}'
        from (
            select key::integer as bucket, sum(value::bigint) as number
            from (
                select * from json_each_text(stored::json) union all
                select * from json_each_text(more::json)) as counts
            where key ~ '^(0|[1-9]\d?|[123]\d\d)$' and value ~ '^\d{1,18}$'
            group by key::integer) as sums);
exception when others then
    return more;
end $$;
