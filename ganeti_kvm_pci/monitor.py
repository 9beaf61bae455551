"""Questions to a running QEMU.

C{execute} is a function that runs one QMP command: C{execute(command,
arguments)} returns its result or raises L{MonitorError}; how it reaches QEMU
is its own affair (see L{connection}).

"""

from . import live


def functions(execute):
  """Ask what sits on pci.0.

  @rtype: list of L{live.Function}
  @raise MonitorError: if QEMU does not tell

  """
  return live.functions(execute("query-pci", None))


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
