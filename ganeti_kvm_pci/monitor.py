"""Questions to a running QEMU.

C{execute} is a function that runs one QMP command: C{execute(command,
arguments)} returns its result or raises L{MonitorError}; how it reaches QEMU
is its own affair (see L{connection}).

"""

import time

from . import live
from . import scsi
from .errors import CommandError

#: Between two looks, in seconds; a guest lets go within about 0.25.
INTERVAL = 0.01

#: A request is lost on a guest that is still booting; it is made again.
_REPEAT = 1


def functions(execute):
  """Ask what sits on pci.0.

  @rtype: list of L{live.Function}
  @raise MonitorError: if QEMU does not tell

  """
  return live.functions(execute("query-pci", None))


def held(execute):
  """Ask which slots are held, and by what.

  @rtype: dict
  @raise MonitorError: if QEMU does not tell

  """
  return live.held(functions(execute))


def ids(execute):
  """Ask for the ids of all devices, on whatever bus.

  @rtype: set of strings
  @raise MonitorError: if QEMU does not tell

  """
  return set(name for name, _ in live.children(
    execute("qom-list", {"path": live.WITH_ID})))


def unplug(execute, device_id, limit):
  """Ask for a device's removal, and wait until it has gone.

  @type device_id: string
  @type limit: number
  @param limit: how long the guest may take, in seconds
  @rtype: bool
  @return: whether it has gone
  @raise MonitorError: if QEMU does not answer, or cannot remove it

  """
  deadline = time.time() + limit
  asked = 0
  while device_id in ids(execute):
    now = time.time()
    if now > deadline:
      return False
    if now - asked > _REPEAT:
      asked = now
      try:
        execute("device_del", {"id": device_id})
      except CommandError as err:
        # asked before, perhaps by somebody else; or gone just now
        if not ("in the process of unplug" in str(err) or
                "not found" in str(err)):
          raise
    else:
      time.sleep(INTERVAL)
  return True


def _get(execute, path, name):
  """Ask for a property; None if the device has gone meanwhile."""
  try:
    return execute("qom-get", {"path": path, "property": name})
  except CommandError as err:
    if "not found" in str(err):
      return None
    raise


def scsi_ids(execute):
  """Ask which ids of Ganeti's SCSI bus are held, and by what.

  @rtype: dict
  @raise MonitorError: if QEMU does not tell

  """
  found = {}
  for folder in (live.WITH_ID, live.WITHOUT_ID):
    for name, driver in live.children(execute("qom-list", {"path": folder})):
      if not driver.startswith("scsi-"):
        continue
      path = "%s/%s" % (folder, name)
      bus = _get(execute, path, "parent_bus")
      number = _get(execute, path, "scsi-id")
      if bus and bus.endswith("/" + scsi.BUS) and number is not None:
        found[number] = name if folder == live.WITH_ID else driver
  return found


def peripherals(execute):
  """Ask what became of all C{-device} options.

  @rtype: list of L{live.Peripheral}
  @raise MonitorError: if QEMU does not tell

  """
  found = []
  for folder in (live.WITH_ID, live.WITHOUT_ID):
    for name, driver in live.children(execute("qom-list", {"path": folder})):
      path = "%s/%s" % (folder, name)
      properties = set(item["name"] for item in
                       execute("qom-list", {"path": path}))
      place = None
      if "addr" in properties and "parent_bus" in properties:
        place = live.place(
          execute("qom-get", {"path": path, "property": "parent_bus"}),
          execute("qom-get", {"path": path, "property": "addr"}))
      found.append(live.Peripheral(
        driver, name if folder == live.WITH_ID else None, place))
  return found
