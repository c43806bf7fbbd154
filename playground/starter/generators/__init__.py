"""Generators of short ChatML conversations, deterministic for a seed, some wordings held out for measuring."""
