"""Helpers."""

import os
import subprocess

from ganeti import pathutils


def DaemonPidFileName(name):
  return "%s/%s.pid" % (pathutils.RUN_DIR, name)


def ReadPidFile(path):
  try:
    with open(path) as stream:
      return int(stream.readline())
  except (EnvironmentError, ValueError):
    return 0


def IsProcessAlive(pid):
  return os.path.exists("/proc/%d" % pid)


class RunResult(object):
  def __init__(self, code, output):
    self.failed = code != 0
    self.fail_reason = "exited with exit code %s" % code
    self.output = output


def RunCmd(cmd, noclose_fds=None): # pylint: disable=W0613
  process = subprocess.Popen(cmd, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
  output = process.communicate()[0].decode("utf-8", "replace")
  return RunResult(process.returncode, output)


def RemoveFile(path):
  if os.path.exists(path):
    os.unlink(path)


def WriteFile(path, data):
  with open(path, "w") as stream:
    stream.write(data)


def ReadFile(path):
  with open(path) as stream:
    return stream.read()
