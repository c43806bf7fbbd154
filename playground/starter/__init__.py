"""The recipe of the starter model: corpus, tokenizer, pretraining and export.

Nothing in the application imports this package; it needs only the folder that the recipe made.
"""
