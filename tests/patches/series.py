"""The small series of patches in Ganeti's own code, and how they are checked.

C{patches/SERIES/BRANCH} has one or more patches, by number. Each series is
applied alone, where its own tests and Ganeti's have to pass after each patch,
and then all of a branch, in two orders.

"""

import glob
import importlib.machinery
import importlib.util
import os
import re

from tree import Failure, Tree, git, run

HERE = os.path.dirname(os.path.abspath(__file__))
PATCHES = os.path.join(os.path.dirname(os.path.dirname(HERE)), "patches")

#: In the order of C{patches/README.md}.
SERIES = ("partition", "creation-order", "ask-qemu", "unplug", "migration",
          "reserved-slots")

#: The section of NEWS that all of them add to; it is applied before.
NEWS = "news"

#: What has to be reverted before, and how.
REVERTS = {"reserved-slots": ["-Xtheirs", "5e6d16abe", "3a72e34a0"]}

#: Of the columns of L{counts}, beginnings of the paths that belong to each.
PARTS = (("code", "lib/"), ("tests", "test/"))


def patches(series, branch):
  """List a series' patches for a branch, in order."""
  return sorted(glob.glob(os.path.join(PATCHES, series, branch, "*.patch")))


def of_branch(branch):
  """List the series that there are for a branch."""
  return [series for series in SERIES if patches(series, branch)]


def branches(series):
  """List the branches that a series has patches for, the newest first."""
  found = [os.path.basename(folder) for folder in
           glob.glob(os.path.join(PATCHES, series, "*"))]
  return sorted(found, key=lambda name: [
    int(part) for part in re.findall(r"\d+", name)] or [9], reverse=True)


def changes(path):
  """Take a patch apart.

  @rtype: list of (string, list of strings)
  @return: for each file its path, and the lines of its hunks with their signs

  """
  with open(path, encoding="utf-8") as stream:
    text = stream.read()
  found = []
  for part in text.split("\ndiff --git ")[1:]:
    name = re.match(r"a/(\S+) b/\1\n", part).group(1)
    body = part.partition("\n@@ ")[2]
    found.append((name, [line for line in body.split("\n")[1:]
                         if line and line[0] in " +-"]))
  return found


def make_series():
  """Return C{tools/make-series} as a module."""
  loader = importlib.machinery.SourceFileLoader(
    "make_series", os.path.join(os.path.dirname(PATCHES), "tools",
                                "make-series"))
  module = importlib.util.module_from_spec(
    importlib.util.spec_from_loader(loader.name, loader))
  loader.exec_module(module)
  return module


def check_quoted(sources):
  """Check that whatever is quoted of Ganeti is in Debian's source as well.

  @param sources: folders, Debian's source of each release
  @raise Failure: if something is not

  """
  known = make_series().lines_of(sources)
  for name in (NEWS, ) + SERIES:
    for path in glob.glob(os.path.join(PATCHES, name, "*", "*.patch")):
      for changed, lines in changes(path):
        for line in lines:
          if line[0] in " -" and line[1:] not in known:
            raise Failure("%s quotes of %s what is not Debian's: %s" % (
              path, changed, line))


def counts(path):
  """Count the lines that a patch adds: code, tests, and the rest."""
  found = dict.fromkeys([part for part, _ in PARTS] + ["rest"], 0)
  for name, lines in changes(path):
    (part, ) = [part for part, start in PARTS
                if name.startswith(start)] or ["rest"]
    found[part] += sum(line[0] == "+" for line in lines)
  return found


def table():
  """Write the table of all patches for C{patches/README.md}.

  @rtype: list of strings

  """
  rows = [("patch", "branch", "code", "tests", "NEWS, man, build")]
  for series in (NEWS, ) + SERIES:
    for branch in branches(series):
      for path in patches(series, branch):
        found = counts(path)
        rows.append(("%s %s" % (series, os.path.basename(path)[:4]), branch) +
                    tuple(str(found[part])
                          for part in ("code", "tests", "rest")))
  widths = [max(len(row[column]) for row in rows) for column in range(5)]
  lines = ["| %s |" % " | ".join(
    cell.ljust(width) if column < 2 else cell.rjust(width)
    for column, (cell, width) in enumerate(zip(row, widths))) for row in rows]
  lines.insert(1, "|%s|" % "|".join(
    "-" * (width + 1) + ("-" if column < 2 else ":")
    for column, width in enumerate(widths)))
  return lines


#: Between these lines, C{patches/README.md} has the table.
COUNTS = ("<!-- counts -->", "<!-- end of counts -->")


def with_table(text):
  """Put the table of all patches into the text of C{patches/README.md}."""
  start, end = [text.index(mark) for mark in COUNTS]
  return "%s\n\n%s\n\n%s" % (text[:start + len(COUNTS[0])],
                             "\n".join(table()), text[end:])


def news_release(text):
  """Tell for which release C{check-news} is to check, from C{configure.ac}."""
  parts = dict(re.findall(r"m4_define\(\[gnt_version_(\w+)\], *\[([^]]*)\]\)",
                          text))
  return "%(major)s.%(minor)s.%(revision)s%(suffix)s" % parts


def check_texts(tree, commit, header=True):
  """Hold what was changed since a commit to Ganeti's C{make check-local}.

  @type tree: L{Tree}
  @param header: whether the release's check-header takes new files
  @raise Failure: if it does not pass

  """
  names = git(tree.root, "diff", "--name-only", commit, "HEAD").split()
  python = [name for name in names if name.endswith(".py")]
  run(["bash", "autotools/check-python-code"] + python, cwd=tree.root)
  git(tree.root, "diff", "--check", commit, "HEAD")
  if header:
    tree.python([os.path.join(tree.root, "autotools", "check-header")] +
                [os.path.join(tree.root, name) for name in python], tree.root)
  for name in names:
    if name.startswith("man/"):
      for check in ("check-man-dashes", "check-man-references"):
        run(["bash", "autotools/" + check, name], cwd=tree.root)
  with open(os.path.join(tree.root, "configure.ac")) as stream:
    release = news_release(stream.read())
  # it reads its standard input; UTF-8 is what its authors had
  run(["sh", "-c", "exec \"$0\" autotools/check-news < NEWS", tree.interpreter],
      cwd=tree.root, env=dict(os.environ, RELEASE=release, LC_ALL="C",
                              PYTHONUTF8="1"))
  added = git(tree.root, "diff", "--name-only", "--diff-filter=A", commit,
              "HEAD").split()
  with open(os.path.join(tree.root, "Makefile.am")) as stream:
    makefile = stream.read()
  for name in added:
    if name not in makefile:
      raise Failure("%s is not in Makefile.am" % name)


def check(branch, repository, commit, modules, rest, python, scratch):
  """Check all series for a branch.

  @param modules: folder with the modules that its build generates, or None
  @param rest: where to look for what is not there, or None
  @param python: the interpreter for them, or None
  @param scratch: an empty folder
  @return: generator of what is to be told
  @raise Failure: if something does not pass

  """
  names = of_branch(branch)
  before = None
  for number, chosen in enumerate([[name] for name in names] + (
      [names, names[::-1]] if len(names) > 1 else [])):
    folder = os.path.join(scratch, str(number))
    os.mkdir(folder)
    tree = Tree(folder, repository, commit)
    runs = bool(modules and python)
    touched = set(path for name in names for patch in patches(name, branch)
                  for path, _ in changes(patch) if path.startswith("test/"))
    if runs:
      tree.make_importable(modules, rest, python)
      if before is None:
        before = tree.own_tests(touched)[:2]
    for name in chosen:
      if name in REVERTS:
        git(tree.root, "revert", "--no-edit", *REVERTS[name])
    tree.am(patches(NEWS, branch))
    start = git(tree.root, "rev-parse", "HEAD")
    passed, applied = set(), 0
    for name in chosen:
      for patch in patches(name, branch):
        tree.am([patch])
        applied += 1
        if runs and len(chosen) == 1:
          passed = check_tests(tree, touched, before, patch)
    if runs:
      # 2.x takes no other holder than Google Inc., and no year after 2019
      check_texts(tree, start, header="-2." not in branch)
      if len(chosen) > 1:
        passed = check_tests(tree, touched, before, " and ".join(chosen))
    yield "%s: %d patches, %s" % (
      " + ".join(chosen), applied,
      "Ganeti's own tests: %d passed before, %d after" % (
        len(before[0]), len(passed)) if runs else "applied; not run")


def check_tests(tree, touched, before, what):
  """Run Ganeti's own tests of KVM, and those that a patch touches.

  @param before: the names of those that passed, and of those that failed
  @return: the names of those that pass

  """
  passed, failed, said = tree.own_tests(touched, before[0])
  wrong = (before[0] - passed) | (failed - before[1])
  if wrong or not passed:
    raise Failure("with %s, these do not pass: %s\n%s" % (
      os.path.basename(what), ", ".join(sorted(wrong)), said))
  return passed
