"""Seconds that only ever grow, whatever is done to the system's clock."""

import os
import time


def _ticks():
  return os.times()[4]


#: Returns seconds since some moment before, the same for all processes of a
#: node. Python 2 has no C{time.monotonic}; there, the kernel's ticks tell.
monotonic = getattr(time, "monotonic", _ticks)
