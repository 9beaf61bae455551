"""RESULTS.md, made of the files in benchmarks/results.

C{benchmarks/results_report.py} writes it; with C{--check} it only looks
whether it is what the files say. Exit status 1: it is not, or the files are
of different revisions, of which a table must not be compared with another's.

"""

import argparse
import os
import sys

import results_file

PAGE = os.path.join(results_file.TOP, "benchmarks", "RESULTS.md")

_HEAD = """\
# Benchmarks, measured

Written by `benchmarks/results_report.py` from `benchmarks/results/*.jsonl`; do
not edit. `benchmarks/README.md` tells how to run them, and what runs.

"""

#: How a unit is written, with how many digits behind the point.
_FORMS = {"ms": "%.1f ms", "s": "%.2f s"}


def _number(value, unit):
  return _FORMS.get(unit, "%.3g " + unit) % value


def _row(row, others):
  """Write one line of a table.

  @param others: the rows of the same table, by name

  """
  if "words" in row:
    return "| %s | | %s | | | |" % (row["row"], row["words"])
  ratio = beyond = ""
  if row["ratio"]:
    to = row["ratio"]["to"]
    ratio = "-" if row["ratio"]["median"] is None else \
      "%.2f × %s" % (row["ratio"]["median"], to)
    beyond = "%+.1f %s" % (row["median"] - others[to]["median"], row["unit"])
  form = _FORMS.get(row["unit"], "%.3g").partition(" ")[0]
  return "| %s | %d | %s | %s | %s | %s |" % (
    row["row"], row["n"], _number(row["median"], row["unit"]).strip(),
    "–".join(form % value for value in row["quartiles"]), ratio, beyond)


def _section(head, rows, aims):
  """Write what one benchmark has measured, as lines."""
  host, versions = head["host"], head["versions"]
  yield "## %s" % head["title"]
  yield ""
  yield "- `%s`, %s, %d s, revision %s" % (
    head["command"], head["date"], head["seconds"], head["revision"])
  yield "- %d × %s, Linux %s, load %.2f before, %.2f after" % (
    host["cpus"], host["cpu"], host["kernel"], host["load"],
    host["load_after"])
  yield "- " + ", ".join("%s %s" % (name, version or "not installed")
                         for name, version in sorted(versions.items()))
  if head["settings"]:
    yield "- " + ", ".join("%s: %s" % pair
                           for pair in sorted(head["settings"].items()))
  yield ""
  for group in sorted(set(row["group"] for row in rows),
                      key=[row["group"] for row in rows].index):
    found = [row for row in rows if row["group"] == group]
    yield "| %s | n | median | quartiles | ratio | beyond |" % group
    yield "|:---|---:|---:|---:|---:|---:|"
    others = dict((row["row"], row) for row in found)
    for row in found:
      yield _row(row, others)
    yield ""
  for aim in aims:
    yield "- %s: %s: **%s**" % (aim["aim"], aim["measured"],
                                "met" if aim["met"] else "not met")
  if aims:
    yield ""
  yield head["about"].rstrip("\n")
  yield ""


def revisions(found):
  """Tell of which revisions results are.

  @param found: see L{results_file.read_all}
  @rtype: dict
  @return: revision to the names of benchmarks

  """
  names = {}
  for head, _, _ in found:
    names.setdefault(head["revision"], []).append(head["benchmark"])
  return names


def page(found):
  """Return the text of RESULTS.md."""
  known = revisions(found)
  if len(known) == 1:
    told = "All of revision %s.\n" % list(known)[0]
  else:
    told = "**Of different revisions**: %s.\n" % "; ".join(
      "%s of %s" % (", ".join(names), revision)
      for revision, names in sorted(known.items()))
  lines = [line for one in found for line in _section(*one)]
  return _HEAD + told + "\n" + "\n".join(lines)


def main():
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("--check", action="store_true",
                      help="write nothing, look whether it is up to date")
  options = parser.parse_args()
  found = results_file.read_all()
  if not found:
    print("no results in %s: run make bench" % results_file.FOLDER)
    return 1
  text = page(found)
  status = 0
  if options.check:
    with open(PAGE, encoding="utf-8") as stream:
      if stream.read() != text:
        print("%s is not what the results say: run"
              " benchmarks/results_report.py" % PAGE)
        status = 1
  else:
    with open(PAGE, "w", encoding="utf-8") as stream:
      stream.write(text)
  known = revisions(found)
  if len(known) > 1:
    print("the results are of %d revisions: %s; run make bench for one of all" %
          (len(known), "; ".join("%s (%s)" % (revision, ", ".join(names))
                                 for revision, names in sorted(known.items()))))
    status = 1
  return status


if __name__ == "__main__":
  sys.exit(main())
