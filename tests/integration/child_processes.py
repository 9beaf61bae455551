"""Operations in processes of their own.

So the node daemon runs them up to Ganeti 3.1; L{test_threads} has what came
after that.

"""

import os
import pickle
import signal
import sys
import traceback


def _run(function, pipe, ready=None):
  """Be the child."""
  said = None
  try:
    if ready is not None:
      os.read(ready, 1) # ends for all at once
    function()
  except Exception as err: # pylint: disable=broad-except
    said = "%s: %s" % (type(err).__name__, err)
  except BaseException: # pylint: disable=broad-except
    said = traceback.format_exc()
  os.write(pipe, pickle.dumps(said))
  os._exit(0)


def start(function, ready=None, forget=()):
  """Start a child.

  @param ready: a pipe's end; the child waits until the other is closed
  @param forget: descriptors that the child must not hold
  @return: its process id, and where it will say what came of it

  """
  mine, theirs = os.pipe()
  sys.stdout.flush()
  sys.stderr.flush()
  pid = os.fork()
  if pid == 0:
    try:
      os.close(mine)
      for fd in forget:
        os.close(fd)
      _run(function, theirs, ready)
    finally:
      os._exit(1)
  os.close(theirs)
  return pid, mine


def end(child):
  """Wait for a child.

  @return: the error's type and text, or None; False if it was killed

  """
  pid, pipe = child
  with os.fdopen(pipe, "rb") as stream:
    said = stream.read()
  status = os.waitpid(pid, 0)[1]
  if os.WIFSIGNALED(status):
    assert os.WTERMSIG(status) == signal.SIGKILL
    return False
  return pickle.loads(said)


def alone(function):
  """Run one operation in a process of its own, see L{end}."""
  return end(start(function))


def together(functions):
  """Run operations that begin at the same moment.

  @return: list, see L{end}

  """
  ready, go = os.pipe()
  running = [start(function, ready, [go]) for function in functions]
  os.close(ready)
  os.close(go)
  return [end(child) for child in running]
