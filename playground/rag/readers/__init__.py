"""What runs in the process that reads one file, and may be killed at any moment."""
