-- The event log of the jobs. These triggers exist while a queue of the file wants them, and only
-- then: whatever moves a job, in any process, is recorded in the transaction that moves it, and
-- while nobody wants it, it costs no statement.

create trigger huey_event_born after insert on huey_job
when exists (select 1 from huey_queue where queue = new.queue and events)
begin
    insert into huey_event (queue, at, signal, seq, id, task, reason)
    values (
        new.queue, round((julianday('now') - 2440587.5) * 86400, 3),
        case when new.finished_at is not null then 'loaded'
            when new.state = 'scheduled' then 'scheduled' else 'enqueued' end,
        new.seq, new.id, new.task, new.reason);
end;

-- The two moves that every job makes have triggers of their own, which cost less than half as much.
create trigger huey_event_claimed after update of state on huey_job
when new.state = 'running' and old.state <> 'running'
    and exists (select 1 from huey_queue where queue = new.queue and events)
begin
    insert into huey_event (queue, at, signal, seq, id, task, worker)
    values (
        new.queue, round((julianday('now') - 2440587.5) * 86400, 3), 'claimed',
        new.seq, new.id, new.task, (select name from huey_worker where id = new.worker));
end;

create trigger huey_event_complete after update of state on huey_job
when new.state = 'done' and old.state <> 'done'
    and exists (select 1 from huey_queue where queue = new.queue and events)
begin
    insert into huey_event (queue, at, signal, seq, id, task, worker, run_s)
    values (
        new.queue, round((julianday('now') - 2440587.5) * 86400, 3), 'complete',
        new.seq, new.id, new.task, (select name from huey_worker where id = old.worker),
        round(new.finished_at - new.started_at, 6));
end;

-- A run that is put back keeps run_at unless it is a retry; not to be counted, it gives its attempt
-- back. Its error, if it has one, is the last of errors by then.
create trigger huey_event_moved after update of state on huey_job
when new.state <> old.state and new.state not in ('running', 'done')
    and exists (select 1 from huey_queue where queue = new.queue and events)
begin
    insert into huey_event (queue, at, signal, seq, id, task, worker, run_s, error, reason)
    select
        new.queue, round((julianday('now') - 2440587.5) * 86400, 3), moved.signal,
        new.seq, new.id, new.task,
        (select name from huey_worker where id = old.worker),
        case when moved.failed then json_extract(new.errors, '$[#-1].run_s') end,
        case when moved.failed then
            json_extract(new.errors, '$[#-1].type') || ': '
                || json_extract(new.errors, '$[#-1].message') end,
        new.reason
    from (
        select signal, signal in (
                'error', 'retrying', 'interrupted', 'canceled', 'timeout', 'locked', 'rate-limited')
            and json_extract(new.errors, '$[#-1].attempt') is old.attempt as failed
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
                else 'interrupted' end as signal)
    ) moved;
end;
