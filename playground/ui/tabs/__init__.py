"""One module a tab, in the order of the work. A tab does not know the others; `ui/app.py` joins them."""
