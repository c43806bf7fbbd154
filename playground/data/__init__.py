"""From an uploaded file to examples that a model can learn from."""
