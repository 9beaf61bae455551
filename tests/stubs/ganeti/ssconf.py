"""What every node of a cluster is told."""

from ganeti import errors
from ganeti import pathutils


class SimpleStore(object):
  def KeyToFilename(self, key):
    return "%s/ssconf_%s" % (pathutils.DATA_DIR, key)

  def GetClusterTags(self):
    try:
      with open(self.KeyToFilename("cluster_tags")) as stream:
        return stream.read().splitlines()
    except EnvironmentError as err:
      raise errors.ConfigurationError(str(err))
