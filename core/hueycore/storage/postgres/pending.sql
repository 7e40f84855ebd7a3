-- How many jobs of a queue are pending, kept in its row whatever verb moves a job: once a statement,
-- not once a row. Made for the first process that has a limit: who has none pays nothing for it.

create or replace function huey_count_born() returns trigger language plpgsql as $$
begin
    update huey_queue set pending = pending + born.number
    from (select queue, count(*) as number from rows where state = 'pending' group by queue) as born
    where huey_queue.queue = born.queue and pending is not null;
    return null;
end $$;

create or replace function huey_count_moved() returns trigger language plpgsql as $$
begin
    update huey_queue set pending = pending + moved.number
    from (
        select queue, sum(number) as number from (
            select queue, 1 as number from new_rows where state = 'pending'
            union all select queue, -1 from old_rows where state = 'pending') as each_one
        group by queue) as moved
    where huey_queue.queue = moved.queue and moved.number <> 0 and pending is not null;
    return null;
end $$;

create or replace function huey_count_gone() returns trigger language plpgsql as $$
begin
    update huey_queue set pending = pending - gone.number
    from (select queue, count(*) as number from rows where state = 'pending' group by queue) as gone
    where huey_queue.queue = gone.queue and pending is not null;
    return null;
end $$;

create or replace trigger huey_pending_born after insert on huey_job
    referencing new table as rows for each statement execute function huey_count_born();
create or replace trigger huey_pending_moved after update on huey_job
    referencing old table as old_rows new table as new_rows
    for each statement execute function huey_count_moved();
create or replace trigger huey_pending_gone after delete on huey_job
    referencing old table as rows for each statement execute function huey_count_gone();
