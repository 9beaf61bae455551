"""The commands that look at instances: map, plan, check."""

import os

from . import chart
from . import checkup
from . import files
from . import layout
from . import monitor
from . import node
from . import normal
from . import record
from . import runtime
from .console import ERRORS
from .console import OK
from .console import WARNINGS
from .console import complain
from .console import say
from .console import say_json
from .errors import BusFullError
from .errors import KvmPciError
from .errors import NodeError
from .partition import DISK
from .partition import Partition
from .partition import applies

_STATUS = {checkup.INFO: OK, checkup.WARNING: WARNINGS,
           checkup.ERROR: ERRORS}


def _ask(known):
  """Ask the QEMU of an instance of this node.

  @rtype: tuple (list of L{live.Function}, list of L{live.Peripheral})

  """
  if not applies(known.hvparams):
    raise NodeError("%s: pci.0 is not the machine's own bus there, which is"
                    " left to stock; leave --live away" % known.instance)
  # Ganeti's client; only --live needs a Ganeti
  from . import connection
  socket = os.path.join(files.control_dir("ctrl"), known.instance + ".qmp")
  with connection.connect(socket) as execute:
    return (monitor.functions(execute), monitor.peripherals(execute))


def show_map(opts):
  """Draw who sits on which slot of pci.0."""
  data = []
  status = OK
  for name in opts.names or files.all_runtimes():
    try:
      path = files.named(name)
      known = record.parse(files.read(path).text, path)
      live = _ask(known) if opts.live else ()
      found = chart.entries(known, *live)
    except KvmPciError as err:
      complain(err)
      status = ERRORS
      continue
    if opts.json:
      data.append(chart.as_data(known, found))
    else:
      say(chart.as_text(known, found, opts.live) + "\n")
  if opts.json:
    say_json(data)
  return status


def _plan_one(path, opts, series):
  """Find out what a cold boot would move.

  @rtype: dict, as C{plan --json} prints it

  """
  loaded = runtime.parse(files.read(path).text, path)
  known = record.Record(loaded)
  plan = {"instance": known.instance, "moves": [], "remark": None}
  if not applies(loaded.hvparams):
    plan["remark"] = "pci.0 is not the machine's own bus, left to stock"
    return plan
  cluster = node.cluster_reservations()
  recorded = loaded.hvparams.get("kvm_pci_reservations")
  if opts.reservations is not None:
    loaded.hvparams["kvm_pci_reservations"] = opts.reservations
  elif cluster is not None and recorded not in (None, cluster):
    plan["remark"] = (
      "started with kvm_pci_reservations %d, the cluster has %d by now: unless"
      " the instance has a value of its own, see plan --reservations %d" %
      (recorded, cluster, cluster))
  normal.normalise(loaded, series)
  moves = layout.lay_out(loaded, series, cluster)
  plan["partition"] = str(Partition.of(loaded.hvparams))
  plan["moves"] = [
    {"class": m.device_class, "index": m.index, "id": m.id, "old": m.old,
     "new": m.new} for m in moves]
  return plan


def _slot(number):
  return "where QEMU chooses" if number is None else "slot %d" % number


def _plan_as_text(plan):
  moves = plan["moves"]
  lines = ["%s: %s" % (plan["instance"], "%d device%s will move (%s)" % (
    len(moves), "" if len(moves) == 1 else "s", plan["partition"]) if moves
    else "nothing moves")]
  if plan["remark"]:
    lines.append("  " + plan["remark"])
  for move in moves:
    name = move["id"] or "-"
    if move["index"] is not None:
      name = "%s %d (%s)" % (move["class"], move["index"], name)
    elif move["class"] == DISK:
      name = "disk " + name
    lines.append("  %s: %s -> %s" % (name, _slot(move["old"]),
                                      _slot(move["new"])))
  return "\n".join(lines)


def show_plan(opts):
  """Tell what would move at the next cold boot."""
  data = []
  status = OK
  series = node.series()
  for name in opts.names or files.all_runtimes():
    try:
      found = _plan_one(files.named(name), opts, series)
    except BusFullError as err:
      complain("%s: would not start: %s" % (name, err))
      status = max(status, WARNINGS)
      continue
    except KvmPciError as err:
      complain(err)
      status = ERRORS
      continue
    if opts.json:
      data.append(found)
    else:
      say(_plan_as_text(found))
  if opts.json:
    say_json(data)
  return status


def _check_one(path, opts):
  """Check, and perhaps repair, one instance.

  @rtype: tuple (string, list of L{checkup.Finding}, list of strings)
  @return: its name, what is to be said, what was repaired

  """
  seen = files.read(path)
  loaded = runtime.parse(seen.text, path)
  known = record.Record(loaded)
  if files.runs(path) is False:
    return (known.instance, [checkup.Finding(
      checkup.INFO, None, None, "not running: its next start writes the file"
      " anew")], [])
  if not (opts.live or opts.repair):
    return (known.instance, checkup.findings(known), [])
  live = _ask(known)
  repaired, remarks = [], []
  if opts.repair and loaded.unknown:
    remarks = [checkup.Finding(
      checkup.WARNING, None, None, "not repaired: no Ganeti that is known"
      " writes %s" % ", ".join(loaded.unknown))]
  elif opts.repair:
    repaired = checkup.repair(loaded, known, *live)
  if repaired:
    text = loaded.dump()
    files.replace(seen, text)
    files.sync([os.path.dirname(os.path.abspath(path))])
    known = record.parse(text, path)
  return (known.instance, remarks + checkup.findings(known, *live), repaired)


def check(opts):
  """Look for devices that stand where they should not."""
  data = []
  status = OK
  for name in opts.names or files.all_runtimes():
    instance, repaired = name, []
    try:
      instance, found, repaired = _check_one(files.named(name), opts)
    except KvmPciError as err:
      found = [checkup.Finding(checkup.ERROR, None, None, str(err))]
    status = max([status] + [_STATUS[f.severity] for f in found])
    if opts.json:
      data.append({
        "instance": instance, "repaired": repaired,
        "findings": [{"severity": f.severity, "slot": f.slot,
                      "device": f.device, "text": f.text} for f in found]})
      continue
    for change in repaired:
      say("%s: repaired: %s" % (instance, change))
    for finding in found:
      if finding.severity == checkup.ERROR:
        complain(finding.text)
      else:
        say("%s: %s: %s" % (instance, finding.severity, finding.text))
    if not found:
      say("%s: all is well" % instance)
  if opts.json:
    say_json(data)
  return status
