"""The LLM Fine-Tuning Playground: a table becomes a dataset, a dataset teaches a model, and two models answer side by side."""
