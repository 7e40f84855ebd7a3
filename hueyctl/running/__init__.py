"""Around a consumer: several at once, pidfiles, logs, the preflight, the demonstration."""
