"""Which models exist, how one is loaded, and what exactly it reads."""
