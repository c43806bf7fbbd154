"""What is wrong with a table before it is learnt from, and its repair: `check` finds, `fix` repairs what was ticked.

Pure functions over a frame; knows mappings, not datasets, files or models.
"""

from playground.data.doctor.check import check
from playground.data.doctor.findings import Finding
from playground.data.doctor.fix import Change, Fixed, fix

__all__ = ["Change", "Finding", "Fixed", "check", "fix"]
