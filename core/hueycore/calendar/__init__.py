"""When something runs: cron, schedules, time zones, durations."""
