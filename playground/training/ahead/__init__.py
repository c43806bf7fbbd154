"""Before a run: what it will need by formula, what runs of before say of that, and three steps tried for real."""
