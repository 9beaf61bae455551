"""What two runs of Ganeti's QA suite found, side by side.

A run is a list of results in the order of the tests, as L{read} returns it:
dictionaries with C{name}, C{status}, C{reason} and C{seconds}.

"""

import argparse
import json
import sys

from qa_settings import KNOWN, NO_INSTANCE, RACY

(PASSED, SKIPPED, FAILED, MISSING) = ("passed", "skipped", "FAILED", "missing")


def read(path):
  """Read the results of a run, one JSON object a line.

  @param path: file that L{ganeti_qa} has printed to
  @return: list of dictionaries

  """
  with open(path, encoding="utf-8") as lines:
    return [json.loads(line) for line in lines]


def pairs(before, after):
  """Bring the results of two runs together by the names of the tests.

  @param before: results of the run that is the yardstick
  @param after: results of the other
  @return: list of a name, the first run's result, the second's; with status
      L{MISSING} where a run did not get to the test

  """
  both = [dict((result["name"], result) for result in run)
          for run in (before, after)]
  names = list(dict.fromkeys(
    result["name"] for result in list(before) + list(after)))
  missing = {"status": MISSING, "reason": "", "seconds": 0}
  return [(name, both[0].get(name, missing), both[1].get(name, missing))
          for name in names]


def is_worse(before, after):
  """Tell whether the second run's result of a test is worse.

  What fails alike is not; a test that ran and was skipped then is.

  """
  if after["status"] in (FAILED, MISSING):
    return before["status"] != after["status"]
  return before["status"] == PASSED and after["status"] != PASSED


def function_of(name):
  """Name the suite's function whose result this is."""
  return name.split(": ")[-1].split(" #")[0]


def why_racy(name):
  """Tell why a test passes by luck.

  @param name: name of a result
  @return: text, or None where it does not

  """
  return RACY.get(function_of(name))


def why_failed(name, *results):
  """Tell why a test fails on unmodified Ganeti.

  @param name: name of a result
  @param results: those of all runs
  @return: text, or None where it is not known

  """
  known = KNOWN.get(name.split(" #")[0]) or KNOWN.get(function_of(name))
  if not known and all(NO_INSTANCE.search(result["reason"])
                       for result in results):
    return "the instance was not made: see the test before"
  return known


def worse(before, after):
  """Name the tests that went worse in the second run.

  @return: list of names, without those of racy tests

  """
  return [name for (name, first, second) in pairs(before, after)
          if is_worse(first, second) and not why_racy(name)]


def unexplained(before, after):
  """Name the tests that failed in both runs, and nothing says why.

  They tell nothing of the plugin: what they would find is not looked at.

  @return: list of names

  """
  return [name for (name, first, second) in pairs(before, after)
          if first["status"] == second["status"] == FAILED
          and not why_failed(name, first, second) and not why_racy(name)]


def counts(run):
  """Count a run's results.

  @return: text, such as C{3 passed, 1 skipped, 0 FAILED}

  """
  statuses = [result["status"] for result in run]
  return ", ".join("%d %s" % (statuses.count(status), status)
                   for status in (PASSED, SKIPPED, FAILED))


def table(before, after, titles):
  """Write two runs as a table, with the reasons of what did not pass.

  @param titles: what the runs are called
  @return: list of lines

  """
  lines = ["%-58s %-12s %s" % (("test",) + tuple(titles))]
  for (name, first, second) in pairs(before, after):
    mark = "   <- worse" if is_worse(first, second) else ""
    if mark and why_racy(name):
      mark = "   (does not count: %s)" % why_racy(name)
    lines.append("%-58s %-12s %s%s" % (
      name, first["status"], second["status"], mark))
    reasons = [result["reason"] for result in (first, second)
               if result["reason"]]
    lines.extend("    " + reason for reason in dict.fromkeys(reasons))
    if first["status"] == FAILED and why_failed(name, first, second):
      lines.append("    known: " + why_failed(name, first, second))
  for (title, run) in zip(titles, (before, after)):
    lines.append("%s: %s, %d s" % (title, counts(run),
                                   sum(result["seconds"] for result in run)))
  return lines


def main(argv):
  """Print the table; the exit status is 1 if the second run is worse.

  It is so, too, if a test failed in both and it is not known why, or no test
  passed: nothing is compared then.

  """
  parser = argparse.ArgumentParser(description=main.__doc__)
  parser.add_argument("before")
  parser.add_argument("after", nargs="?")
  options = parser.parse_args(argv)
  before = read(options.before)
  after = before if options.after is None else read(options.after)
  print("\n".join(table(before, after, ("unmodified", "plugin")
                        if options.after else ("unmodified", "again"))))
  names = worse(before, after)
  if not any(result["status"] == PASSED for result in before):
    print("no test passed on unmodified Ganeti: nothing to compare with")
    return 1
  if not options.after:
    return 1 if names else 0
  unknown = unexplained(before, after)
  print("failed on both, why is not known: %s" % (
    ", ".join(unknown) or "none"))
  print("worse with the plugin: %s" % (", ".join(names) or "none"))
  return 1 if names or unknown else 0


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
