"""Configuration objects."""


class _Object(object):
  """Attributes that are there only once they are set."""
  _SLOTS = []

  def __init__(self, **kwargs):
    for name, value in kwargs.items():
      setattr(self, name, value)

  def __getattr__(self, name):
    if name in self._SLOTS:
      return None
    raise AttributeError(name)

  def ToDict(self):
    return dict((k, v) for k, v in self.__dict__.items() if v is not None)

  @classmethod
  def FromDict(cls, values):
    return cls(**values)


class NIC(_Object):
  _SLOTS = ["name", "mac", "nicparams", "uuid", "hvinfo", "pci", "ip",
            "network", "netinfo"]


class Disk(_Object):
  _SLOTS = ["dev_type", "mode", "uuid", "hvinfo", "pci", "params",
            "logical_id", "iv_name", "size"]


class Instance(_Object):
  _SLOTS = ["name", "hvparams", "beparams", "nics", "uuid", "hypervisor"]
