"""Whether something has become slower: ratios, compared with their limits.

C{limits.json} is a list of limits. Each is for the rows of a benchmark whose
group and row match two patterns, and has the greatest ratio to another row of
the same group that is taken for fine, and why it is that one. Times are not
compared: they are another host's.

C{benchmarks/check.py FOLDER} looks at the results in a folder. With C{--run},
the benchmarks of C{QUICK} are run first, with few rounds, and their results put
there; one whose ratios are too great is run once more, and its limit is
exceeded if both are. Exit status 1: a limit is exceeded, or was not measured.

"""

import argparse
import collections
import json
import os
import re
import subprocess
import sys
import tempfile

import results_file

LIMITS = os.path.join(results_file.TOP, "benchmarks", "limits.json")

#: Benchmarks that are run: name to the command and its environment.
QUICK = collections.OrderedDict([
  ("hook", (["hook.py"], {"RUNS": "100"})),
  ("upgrade", (["upgrade.py", "/dev/shm"], {"FILES": "500", "PAIRS": "5"})),
  ("node", (["node.py", "--guests", "10,40", "--rounds", "3", "--tables",
             "guests,stopped"], {})),
  ("instance_start", (["instance_start.py", "--rounds", "5"], {})),
  ])


class Limit(object):
  """One limit.

  @ivar benchmark: string
  @ivar limit: number

  """
  def __init__(self, data):
    """Read one.

    @type data: dict
    @raise ValueError: if it is none

    """
    unknown = set(data) ^ set(["benchmark", "group", "row", "limit", "why"])
    if unknown:
      raise ValueError("a limit of %s: %s" % (
        data.get("benchmark"), ", ".join(sorted(unknown))))
    self.benchmark = data["benchmark"]
    self.limit = data["limit"]
    self.why = data["why"]
    self._group = re.compile(data["group"] + r"\Z")
    self._row = re.compile(data["row"] + r"\Z")

  def rows(self, found):
    """List the rows that it is for, of some with a ratio."""
    return [row for row in found if row.get("ratio") and
            self._group.match(row["group"]) and self._row.match(row["row"])]

  def name(self):
    return "%s: %s, %s" % (self.benchmark, self._group.pattern[:-2],
                           self._row.pattern[:-2])


def limits(path=LIMITS):
  """Read the limits.

  @rtype: list of L{Limit}

  """
  with open(path, encoding="utf-8") as stream:
    return [Limit(data) for data in json.load(stream)]


def _told(row, rows, limit):
  """Say in words that a ratio is too great."""
  to = row["ratio"]["to"]
  (other, ) = [one for one in rows
               if (one["group"], one["row"]) == (row["group"], to)]
  ratio = row["ratio"]["median"]
  return ("%s, %s: %s is %s times %s, and may be %.2f times (n = %d, medians"
          " %.4g and %.4g %s). The limit: %s" %
          (limit.benchmark, row["group"], row["row"],
           "any number of" if ratio is None else "%.2f" % ratio, to, limit.limit, row["n"], row["median"], other["median"],
           row["unit"], limit.why))


def exceeded(found, known, names=None):
  """Compare results with the limits.

  @param found: see L{results_file.read_all}
  @type known: list of L{Limit}
  @param names: the benchmarks whose limits count; None for all
  @rtype: list of tuples (string, string)
  @return: the benchmark, and what is wrong, in words

  """
  rows_of = {}
  for head, rows, _ in found:
    rows_of.setdefault(head["benchmark"], []).extend(rows)
  wrong = []
  for limit in known:
    if names is not None and limit.benchmark not in names:
      continue
    rows = rows_of.get(limit.benchmark, [])
    concerned = limit.rows(rows)
    if not concerned:
      wrong.append((limit.benchmark, "%s: not measured, so nobody knows"
                    " whether it is within its limit, %.2f" %
                    (limit.name(), limit.limit)))
    wrong += [(limit.benchmark, _told(row, rows, limit)) for row in concerned
              if row["ratio"]["median"] is None or
              row["ratio"]["median"] > limit.limit]
  return wrong


def run(name, folder):
  """Run one of the quick benchmarks; its results are put into a folder."""
  command, more = QUICK[name]
  subprocess.check_call(
    [sys.executable, os.path.join(results_file.TOP, "benchmarks", command[0])] +
    command[1:], env=dict(os.environ, BENCH_RESULTS=folder, **more),
    stdout=subprocess.DEVNULL)


def main():
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("folder", nargs="?", help="with results of benchmarks")
  parser.add_argument("--run", action="store_true",
                      help="run the quick benchmarks first")
  options = parser.parse_args()
  known = limits()
  folder = options.folder or (tempfile.mkdtemp() if options.run
                              else results_file.FOLDER)
  names = list(QUICK) if options.run else None
  for name in names or []:
    run(name, folder)
  wrong = exceeded(results_file.read_all(folder), known, names)
  for name in sorted(set(name for name, _ in wrong)) if options.run else []:
    print("%s: once more, a ratio was too great" % name)
    run(name, folder)
  if options.run:
    again = exceeded(results_file.read_all(folder), known, names)
    wrong = [one for one in again if one[0] in [name for name, _ in wrong]]
  for _, words in wrong:
    print(words)
  if not wrong:
    print("within the limits: %d ratios, in %s" % (
      sum(len(limit.rows([row for head, rows, _ in
                          results_file.read_all(folder)
                          if head["benchmark"] == limit.benchmark
                          for row in rows])) for limit in known), folder))
  return 1 if wrong else 0


if __name__ == "__main__":
  sys.exit(main())
