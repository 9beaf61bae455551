"""What the process of a QEMU tells of it."""

from .errors import NodeError


def command(pid):
  """Read the command of a process.

  It is what QEMU was really given: by the record, and by whatever stands
  between (a wrapper that an administrator put into C{kvm_path}).

  @type pid: int
  @rtype: list of strings
  @raise NodeError: if it has ended

  """
  try:
    with open("/proc/%d/cmdline" % pid, "rb") as stream:
      words = stream.read().split(b"\0")[:-1]
  except EnvironmentError as err:
    raise NodeError("the command of process %d cannot be read: %s" %
                    (pid, err.strerror))
  return [word.decode("utf-8", "replace") for word in words]


def identity(pid):
  """Tell a process from others, those too that will get its number.

  @type pid: int
  @rtype: string

  """
  try:
    with open("/proc/%d/stat" % pid, "rb") as stream:
      # the name before that, in parentheses, may have anything in it
      fields = stream.read().rpartition(b")")[2].split()
    return "%d %s" % (pid, fields[19].decode("ascii"))
  except (EnvironmentError, IndexError): # it has ended
    return "%d" % pid
