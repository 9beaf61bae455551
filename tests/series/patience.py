"""Time for a guest that is to let go of a device, on a machine that is busy.

Stock asks a guest once and gives it 5 s (before 2.13: one look); a guest may be
slower, or miss the request. Where it does not matter how long that takes, both
stock and the plugin are made to go on for a minute.

"""

import re

from ganeti import errors

#: Seconds; stock waits 5 of them at a time.
LIMIT = 60

_STILL_THERE = re.compile("Device (.*) should have been removed but is still")


def lend(node, monkeypatch):
  """Make a node wait for its guest.

  @type node: L{world.Node}

  """
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", str(LIMIT))
  cls = type(node.hyper)
  plain = cls._VerifyHotplugCommand

  def _VerifyHotplugCommand(*args):
    for _ in range(LIMIT // 5 - 1):
      try:
        return plain(*args)
      except errors.HypervisorError as err:
        still = _STILL_THERE.match(str(err))
        if not still:
          raise
        node.ask_to_let_go(still.group(1))
    return plain(*args)

  monkeypatch.setattr(cls, "_VerifyHotplugCommand", _VerifyHotplugCommand)
