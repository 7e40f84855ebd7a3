"""A consumer as a program: logs, probes, pidfile, systemd, one process per application."""
