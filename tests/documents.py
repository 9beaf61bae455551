"""What the documents say, for the tests that hold them to it.

"""

import io
import os
import re
import textwrap

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DESIGN = os.path.join("doc", "design-pci-partition.rst")

#: What differs each time, in a quotation and in what was printed.
_VARIES = [
  (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}(-[0-9a-f]{4}-"
              r"[0-9a-f]{12})?\b"), "UUID"),
  (re.compile(r"\bvm\d+\b"), "VM"),
  (re.compile(r"\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b"), "MAC"),
  (re.compile(r"\btap\d+\b"), "TAP"),
  (re.compile(r"\btime=\d+\.\d+s"), "TIME"),
  ]


def lines_of(path):
  """Read a document of the project.

  @rtype: list of strings

  """
  with io.open(os.path.join(TOP, path), encoding="utf-8") as stream:
    return stream.read().split("\n")


def table(title, path=DESIGN):
  """Read a table of a document, in the simple form of reStructuredText.

  @param title: that of its directive
  @rtype: list of dicts
  @return: for each row, the column's head to the cell

  """
  lines = iter(lines_of(path))
  for line in lines:
    if line == ".. table:: " + title:
      break
  else:
    raise AssertionError("%s has no table %r" % (path, title))
  rows = []
  borders = []
  for line in lines:
    if line.strip() and not line.strip().strip("= "):
      borders.append(line)
    elif len(borders) in (1, 2):
      rows.append(line)
    if len(borders) == 3 or line[:1].strip():
      break
  assert len(borders) == 3, "%s: %r does not end" % (path, title)
  starts = [m.start() for m in re.finditer("=+", borders[0])]
  cells = [[row[start:end].strip() for start, end in
            zip(starts, starts[1:] + [None])] for row in rows]
  return [dict(zip(cells[0], row)) for row in cells[1:]]


def of_release(row, release):
  """Return the cell of a release.

  @type row: dict
  @param row: of a L{table} with a column for each release that differs from
      the one before
  @type release: tuple of ints

  """
  columns = [tuple(int(part) for part in head.split(".")) for head in row
             if re.match(r"\d+(\.\d+)+$", head)]
  column = max(column for column in columns if column <= release)
  return row[".".join(str(part) for part in column)]


def _blocks(path):
  """Yield what stands between fences, and literal blocks, without indentation.

  """
  block, fenced, indented = [], False, False
  for line in lines_of(path) + ["x"]:
    text = line.strip()
    fence = text.startswith("```")
    if fence or (indented and text and line[:1] != " "):
      if fenced or indented:
        yield textwrap.dedent("\n".join(block)).strip("\n").split("\n")
      fenced, indented, block = fence and not fenced, False, []
    elif fenced or indented:
      block.append(line)
    if not fenced and text.endswith("::") and not text.startswith(".."):
      indented = True
  assert not fenced, "%s: a block does not end" % path


def quotations(path):
  """List the commands of a document, and what they print by it.

  They stand in literal blocks, after a prompt: C{$} for those that can be run
  in the project's folder, C{#} for those that a node of a cluster is given.

  @rtype: list of tuples of three
  @return: prompt, command and list of lines

  """
  found = []
  for block in _blocks(path):
    here = None
    for line in block:
      command = re.match(r"([$#]) (\S.*)$", line)
      if command:
        here = (command.group(1), command.group(2), [])
        found.append(here)
      elif here:
        here[2].append(line.rstrip())
  return found


def _section(path, title):
  """Yield the lines of a section, with those below it."""
  lines = lines_of(path)
  inside = False
  for number, line in enumerate(lines):
    below = lines[number + 1:number + 2] or [""]
    head = re.match(r"## (.*)$", line)
    if head or re.match(r"==+$", below[0]):
      inside = (head.group(1) if head else line) == title
    elif inside:
      yield line


def commands(path, title):
  """List the commands that a section gives, in blocks or in its text.

  @rtype: set of strings

  """
  text = "\n".join(_section(path, title))
  (block, mark) = (r"^  ", "``") if path.endswith(".rst") else (r"^", "`")
  names = r"(?:apt|cp|make|gnt-\w+|ganeti-kvm-pci)"
  found = set(re.findall(r"%s(%s [^`\n]+)$" % (block, names), text, re.M))
  for inline in re.findall(r"(?<!`)%s([^`]+)%s(?!`)" % (mark, mark), text):
    command = " ".join(inline.split())
    if re.match(r"(gnt-\w+|ganeti-kvm-pci) \S", command):
      found.add(command)
  return found


def is_printed(lines, printed):
  """Tell whether a command has printed what a document says that it does.

  @param lines: as in L{quotations}; C{...} stands for any number of lines
  @type printed: string

  """
  for pattern, name in _VARIES:
    lines = [pattern.sub(name, line) for line in lines]
    printed = pattern.sub(name, printed)
  printed = "".join(line.rstrip() + "\n" for line in
                    printed.strip("\n").split("\n"))
  expected = "".join(r"(?:.*\n)*?" if line.strip() == "..." else
                     re.escape(line) + r"\n" for line in
                     "\n".join(lines).strip("\n").split("\n"))
  return re.match(expected + "$", printed) is not None


def check(page, command, printed):
  """Compare what a command has printed with a page's quotation of it.

  @raise AssertionError: if they differ

  """
  (lines, ) = [lines for _, quoted, lines in quotations(page)
               if quoted == command]
  compare(page, lines, printed)


def compare(page, lines, printed):
  """Compare what a page quotes with what was printed.

  @raise AssertionError: if they differ

  """
  assert is_printed(lines, printed), "%s has\n%s\nbut it prints\n%s" % (
    page, "\n".join(lines), printed)
