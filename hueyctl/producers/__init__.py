"""From words on a command line to jobs in a queue."""
