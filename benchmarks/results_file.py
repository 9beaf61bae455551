"""The results of a benchmark: one file of JSON lines, of one form for all.

C{benchmarks/results/NAME.jsonl} has what one run of a benchmark measured:

  - the first line: which benchmark, with which settings, on which host, with
    which versions, of which revision, when and how long
  - then one line for each row of a table: C{group} (the table), C{row}, and
    either C{values} in C{unit} with n, median and quartiles, or C{words}. A
    row may have a C{ratio}: to which row of its group, and the median of the
    ratios of the values that were taken one after another
  - then one line for each aim: in words, what was measured, whether it is met

A benchmark makes a L{Results}, fills it, and calls C{write} at its end; one
that fails writes nothing. C{results_report.py} makes C{RESULTS.md} of all
files, C{check.py} compares their ratios with C{limits.json}.

"""

import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

#: Where the files are; another folder for a trial.
FOLDER = os.environ.get("BENCH_RESULTS") or os.path.join(
  TOP, "benchmarks", "results")

SUFFIX = ".jsonl"

#: What a run of the benchmarks writes itself is no change of the revision.
_WRITTEN = [":(exclude)benchmarks/results", ":(exclude)benchmarks/RESULTS.md"]

#: How many digits of a value are kept.
_DIGITS = 5


def _said(*command):
  """Return the first line that a command prints, or None."""
  try:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          encoding="utf-8")
  except OSError: # not installed
    return None
  lines = done.stdout.splitlines()
  return lines[0].strip() if done.returncode == 0 and lines else None


def cpu():
  """Return the name of this host's CPUs."""
  with open("/proc/cpuinfo") as stream:
    for line in stream:
      if line.startswith("model name"):
        return line.partition(":")[2].strip()
  return "unknown"


def host():
  """Tell on what is measured; the load is that of now."""
  return {"cpu": cpu(), "cpus": os.cpu_count(), "load": round(
    os.getloadavg()[0], 2), "kernel": platform.release()}


def versions():
  """Tell with what is measured; None for what is not installed."""
  daemon = os.path.realpath("/usr/sbin/ganeti-noded")
  qemu = _said(os.environ.get("QEMU", "qemu-system-x86_64"), "--version")
  return {
    "python": platform.python_version(),
    "ganeti": _said(sys.executable, "-c", "import sys; sys.path.insert(0, %r);"
                    " from ganeti import constants;"
                    " print(constants.RELEASE_VERSION)" %
                    os.path.dirname(daemon)),
    "qemu": qemu and qemu.partition(" version ")[2],
    "libvirt": _said("virsh", "--version"),
    }


def revision():
  """Name what is measured: a commit of git, and whether files differ."""
  name = _said("git", "-C", TOP, "rev-parse", "--short=10", "HEAD")
  if not name:
    return "unknown"
  changed = _said("git", "-C", TOP, "status", "--porcelain", "--", TOP,
                  *_WRITTEN)
  return name + ("-dirty" if changed else "")


def summary(values):
  """Return n, median and quartiles of some values.

  @rtype: dict

  """
  if len(values) == 1:
    lower = middle = upper = values[0]
  else:
    lower, middle, upper = statistics.quantiles(values, n=4,
                                                method="inclusive")
  return {"n": len(values), "median": _short(middle),
          "quartiles": [_short(lower), _short(upper)]}


def _short(value):
  return float("%.*g" % (_DIGITS, value))


class Results(object):
  """What one run of a benchmark measures."""

  def __init__(self, name, title, about, settings=None, **more):
    """Begin a run: what is known of the host is asked for now.

    @param name: the benchmark's, and so the file's; e.g. C{"upgrade"}
    @param title: of its section in C{RESULTS.md}
    @param about: what was measured, and how, in Markdown
    @type settings: dict or None
    @param settings: what decides how much is measured, e.g. C{{"files": 10}}
    @param more: versions that are known better, e.g. C{qemu="8.0"}

    """
    self.rows = []
    self.aims = []
    self._begun = time.time()
    self.head = {
      "benchmark": name, "title": title, "about": about,
      "settings": settings or {},
      "command": shlex.join([os.path.relpath(os.path.abspath(sys.argv[0]),
                                             TOP)] + sys.argv[1:]),
      "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
      "revision": revision(), "host": host(),
      "versions": dict(versions(), **more)}

  def add(self, group, row, unit, values, to=None):
    """Add a row that was measured.

    @param group: the table that it is of, e.g. C{"Hot-add of a disk"}
    @param row: what was measured, e.g. C{"plugin"}
    @param unit: of the values: C{"ms"}, C{"s"}, C{"ratio"} or C{""}
    @type values: list of numbers
    @param values: in the order in which they were measured
    @type to: string or None
    @param to: the row of the same group that this one is compared with, which
        was added before; as many values, taken by turns, are compared by pairs

    """
    found = {"group": group, "row": row, "unit": unit,
             "values": [_short(value) for value in values], "ratio": None}
    found.update(summary(values))
    if to is not None:
      found["ratio"] = {"to": to,
                        "median": _ratio(values, self._values(group, to))}
    self.rows.append(found)
    return found

  def tell(self, group, row, words):
    """Add a row that is no number."""
    self.rows.append({"group": group, "row": row, "words": words})

  def aim(self, text, measured, is_met):
    """Add whether an aim is met.

    @param text: the aim, in words
    @param measured: what it was compared with, in words

    """
    self.aims.append({"aim": text, "measured": measured, "met": bool(is_met)})

  def _values(self, group, row):
    (values, ) = [found["values"] for found in self.rows
                  if (found["group"], found["row"]) == (group, row)]
    return values

  def lines(self):
    """Return the file's lines.

    @rtype: list of strings

    """
    head = dict(self.head, seconds=round(time.time() - self._begun))
    head["host"] = dict(head["host"], load_after=round(os.getloadavg()[0], 2))
    return [json.dumps(line, sort_keys=True)
            for line in [head] + self.rows + self.aims]

  def write(self):
    """Write the file, as a whole; prints where.

    With C{VARIANT} in the environment, e.g. the suite whose QEMU was measured,
    the file has that in its name.

    """
    os.makedirs(FOLDER, exist_ok=True)
    name = "-".join(filter(None, [self.head["benchmark"],
                                  os.environ.get("VARIANT")]))
    path = os.path.join(FOLDER, name + SUFFIX)
    with open(path + ".new", "w", encoding="utf-8") as stream:
      stream.write("\n".join(self.lines() + [""]))
    os.rename(path + ".new", path)
    # what a benchmark prints may be for a program
    print("written: %s" % path, file=sys.stderr)


def _ratio(values, others):
  """Compare two rows: by pairs where that is possible, else by medians."""
  if not all(others):
    return None
  if len(values) == len(others):
    return _short(statistics.median(value / other for value, other in
                                    zip(values, others)))
  return _short(statistics.median(values) / statistics.median(others))


def read(path):
  """Read a file of results.

  @rtype: tuple (dict, list of dicts, list of dicts)
  @return: the first line, the rows, the aims
  @raise ValueError: if it is none

  """
  with open(path, encoding="utf-8") as stream:
    lines = [json.loads(line) for line in stream]
  if not lines or "benchmark" not in lines[0]:
    raise ValueError("%s: no results of a benchmark" % path)
  return (lines[0], [line for line in lines if "row" in line],
          [line for line in lines if "aim" in line])


def read_all(folder=None):
  """Read all files of results.

  @rtype: list of what L{read} returns, by name

  """
  folder = folder or FOLDER
  return [read(os.path.join(folder, name)) for name in
          sorted(os.listdir(folder)) if name.endswith(SUFFIX)]
