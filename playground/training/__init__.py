"""Fine-tuning: settings, the line of runs, what each run tells, and the worker process that trains."""
