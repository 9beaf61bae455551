"""Time for a guest that is to complete an unplug, on a host that is busy.

Unmodified Ganeti of 2.13 and later asks a guest once and gives it 5 s. A guest
may be slower, or miss the request. Where it does not matter how long that
takes, it is asked again for a minute, as the plugin does; pytest's report says
when unmodified Ganeti needed that. A disk's removal there keeps its 5 s in 3.1
and later, in which QEMU has to report it as deleted; and up to 2.12, Ganeti
sees nothing that is to be removed.

"""

import re
from time import sleep # before a test has it replaced

from ganeti import errors

from old_releases import MENDED

#: Seconds; unmodified Ganeti waits 5 of them at a time.
LIMIT = 60

#: In seconds. A guest that was asked twice may eject twice, and the second time
#: what is attached at the slot by then.
_ECHO = 5

_STILL_THERE = re.compile("Device (.*) should have been removed but is still")


def lend(node, monkeypatch):
  """Make a node wait for its guest.

  @type node: L{nodes.Node}

  """
  monkeypatch.setenv("KVM_PCI_HOTPLUG_LIMIT", str(LIMIT))
  cls = type(node.hyper)
  plain = cls._VerifyHotplugCommand

  def _VerifyHotplugCommand(*args):
    asked = 0
    while True:
      try:
        result = plain(*args)
        break
      except errors.HypervisorError as err:
        still = _STILL_THERE.match(str(err))
        if not still or asked == LIMIT // 5:
          raise
        node.request_unplug(still.group(1))
        asked += 1
    if asked:
      MENDED.add("a removal that took longer than Ganeti's 5 s: asked again")
      sleep(_ECHO)
    return result

  monkeypatch.setattr(cls, "_VerifyHotplugCommand", _VerifyHotplugCommand)
