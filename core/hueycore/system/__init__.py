"""The machine: clock, threads as the system has them, ids."""
