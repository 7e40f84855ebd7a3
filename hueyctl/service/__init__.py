"""A consumer as a program: several at once, logs, probes, pidfile."""
