-- The event log of the jobs. These triggers exist while a queue of the schema wants them, and only
-- then: whatever moves a job, in any process, is recorded in the transaction that moves it, and
-- while nobody wants it, it costs no statement.

create or replace function huey_note_born() returns trigger language plpgsql as $$
begin
    insert into huey_event (queue, at, signal, seq, id, task, reason)
    select new.queue, round(extract(epoch from clock_timestamp()), 3),
        case when new.finished_at is not null then 'loaded'
            when new.state = 'scheduled' then 'scheduled' else 'enqueued' end,
        new.seq, new.id, new.task, new.reason
    where exists (select 1 from huey_queue where queue = new.queue and events = 1);
    return null;
end $$;

create or replace function huey_note_claimed() returns trigger language plpgsql as $$
begin
    insert into huey_event (queue, at, signal, seq, id, task, worker)
    select new.queue, round(extract(epoch from clock_timestamp()), 3), 'claimed',
        new.seq, new.id, new.task, (select name from huey_worker where id = new.worker)
    where exists (select 1 from huey_queue where queue = new.queue and events = 1);
    return null;
end $$;

create or replace function huey_note_complete() returns trigger language plpgsql as $$
begin
    insert into huey_event (queue, at, signal, seq, id, task, worker, run_s)
    select new.queue, round(extract(epoch from clock_timestamp()), 3), 'complete',
        new.seq, new.id, new.task, (select name from huey_worker where id = old.worker),
        round((new.finished_at - new.started_at)::numeric, 6)
    where exists (select 1 from huey_queue where queue = new.queue and events = 1);
    return null;
end $$;

-- A run that is put back keeps run_at unless it is a retry; not to be counted, it gives its attempt
-- back. Its error, if it has one, is the last of errors by then.
create or replace function huey_note_moved() returns trigger language plpgsql as $$
begin
    insert into huey_event (queue, at, signal, seq, id, task, worker, run_s, error, reason)
    select
        new.queue, round(extract(epoch from clock_timestamp()), 3), moved.signal,
        new.seq, new.id, new.task,
        (select name from huey_worker where id = old.worker),
        case when moved.failed then huey_last(new.errors, 'run_s')::double precision end,
        case when moved.failed then
            huey_last(new.errors, 'type') || ': ' || huey_last(new.errors, 'message') end,
        new.reason
    from (
        select signal, signal in (
                'error', 'retrying', 'interrupted', 'canceled', 'timeout', 'locked', 'rate-limited')
            and huey_last(new.errors, 'attempt') is not distinct from old.attempt::text as failed
        from (
            select case
                when new.state = 'dead' and new.reason in ('timeout', 'locked', 'rate-limited')
                    then new.reason
                when new.state = 'dead' then 'error'
                when new.state = 'revoked' and new.reason = 'canceled' then 'canceled'
                when new.state in ('revoked', 'expired', 'blocked') then new.state
                when old.state <> 'running' and new.state = 'scheduled' then 'scheduled'
                when old.state <> 'running' then 'enqueued'
                when new.run_at <> old.run_at then 'retrying'
                when new.attempt < old.attempt then 'released'
                else 'interrupted' end as signal) as found
    ) as moved
    where exists (select 1 from huey_queue where queue = new.queue and events = 1);
    return null;
end $$;

create or replace trigger huey_event_born after insert on huey_job
    for each row execute function huey_note_born();
create or replace trigger huey_event_claimed after update of state on huey_job
    for each row when (new.state = 'running' and old.state <> 'running')
    execute function huey_note_claimed();
create or replace trigger huey_event_complete after update of state on huey_job
    for each row when (new.state = 'done' and old.state <> 'done')
    execute function huey_note_complete();
create or replace trigger huey_event_moved after update of state on huey_job
    for each row when (new.state <> old.state and new.state not in ('running', 'done'))
    execute function huey_note_moved();
