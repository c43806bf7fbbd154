"""A whole list of questions, asked of the base and of a run, and the table of their answers."""
