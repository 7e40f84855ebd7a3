-- How many jobs of a queue are pending, kept in its row whatever verb moves a job. Made for the first
-- process that has a limit: who has none pays nothing for it.

create trigger huey_pending_born after insert on huey_job
when new.state = 'pending' begin
    update huey_queue set pending = pending + 1
    where queue = new.queue and pending is not null;
end;

create trigger huey_pending_moved after update of state on huey_job
when (old.state = 'pending') <> (new.state = 'pending') begin
    update huey_queue set pending = pending + (new.state = 'pending') - (old.state = 'pending')
    where queue = new.queue and pending is not null;
end;

create trigger huey_pending_gone after delete on huey_job
when old.state = 'pending' begin
    update huey_queue set pending = pending - 1
    where queue = old.queue and pending is not null;
end;
