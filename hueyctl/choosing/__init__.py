"""What people type to say which jobs and when: selectors, filters, durations, times."""
