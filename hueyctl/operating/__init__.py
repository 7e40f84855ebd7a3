"""What the commands that change jobs and queues share."""
