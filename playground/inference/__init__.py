"""Answers: one base model in memory, many adapters, every pane streamed with proof of who wrote it."""
