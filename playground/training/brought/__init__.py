"""Adapters that were trained elsewhere: taken out of what was sent, checked, and made a finished run."""
