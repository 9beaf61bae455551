"""A call as the node daemon has it: in a process forked for it.

Up to Ganeti 3.1 that is so for each request: what a process keeps in memory
does not help the next one.

"""

import os
import pickle
import time


def call(function, *args):
  """Call a function; its arguments stay as they are in this process.

  @rtype: tuple
  @return: what it returns, and how long it took, in milliseconds
  @raise RuntimeError: if it fails

  """
  mine, theirs = os.pipe()
  pid = os.fork()
  if pid == 0:
    try:
      os.close(mine)
      start = time.perf_counter()
      result = function(*args)
      took = (time.perf_counter() - start) * 1000
      with os.fdopen(theirs, "wb") as stream:
        pickle.dump((result, took), stream)
      os._exit(0)
    finally:
      # what was raised is printed above
      import traceback
      traceback.print_exc()
      os._exit(1)
  os.close(theirs)
  with os.fdopen(mine, "rb") as stream:
    data = stream.read()
  status = os.waitpid(pid, 0)[1]
  if status:
    raise RuntimeError("%s has failed" % getattr(function, "__name__",
                                                 function))
  return pickle.loads(data)
