"""What every node of a cluster is told."""

from ganeti import errors
from ganeti import pathutils


class SimpleStore(object):
  @staticmethod
  def _Read(key):
    try:
      with open("%s/ssconf_%s" % (pathutils.DATA_DIR, key)) as stream:
        return stream.read().splitlines()
    except EnvironmentError as err:
      raise errors.ConfigurationError(str(err))

  def GetClusterTags(self):
    return self._Read("cluster_tags")

  def GetHvparamsForHypervisor(self, name):
    return dict(line.split("=", 1) for line in self._Read("hvparams_" + name))
