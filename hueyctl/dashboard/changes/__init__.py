"""What people change: forms in, a change and a notice out."""
