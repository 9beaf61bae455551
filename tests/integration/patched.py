"""Which of the series in C{patches/} the tree under test has.

C{PATCHED} names them, separated by commas, e.g.::

  PATCHED=partition,creation-order GANETI_TREE=DIR pytest tests/integration/...

What is expected of "unmodified" Ganeti then differs in what they mend.

"""

import os

NAMES = frozenset(os.environ.get("PATCHED", "").replace(",", " ").split())


def has(series):
  """Tell whether the tree has a series of patches."""
  return series in NAMES
