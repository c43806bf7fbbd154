"""The recipe of the starter embedder: question sets, training pairs, tokenizer, training, measuring and the card.

Nothing in the application imports this package; it needs only the folder that the recipe made.
"""
