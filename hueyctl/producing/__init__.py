"""From words on a command line, or lines of a file, to jobs in a queue."""
