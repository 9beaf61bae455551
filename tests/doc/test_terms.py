"""The documents call a thing by the name that the field knows.

What stands between ticks, or in a literal block, is quoted from the code or
from what a command prints, and is not looked at.

"""

import glob
import os
import re
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import documents # pylint: disable=wrong-import-position

#: C{benchmarks/RESULTS.md} is not among them: C{benchmarks/hotplug.py} writes
#: it, and the design document quotes its rows.
PAGES = ["README.md", "CONTRIBUTING.md", "NEWS.md", "patches/README.md"] + (
  sorted(os.path.relpath(path, documents.TOP) for path in
         glob.glob(os.path.join(documents.TOP, "doc", "*.rst"))))

_DETERMINERS = r"(?:an?|the|its?|their|no|own|same|other|another|this|that)"

#: What is not said, what is said instead, an example of the first, and one of
#: what is meant otherwise and stays
TERMS = [
  # what -machine names is called so by QEMU
  (r"machines?(?! types?\b)",
   "instance (Ganeti's), guest (the system inside), host",
   "the same machine again", "another machine type"),
  # QEMU's record/replay is something else. So no verb either
  (r"(?:un)?record(?:s|ed|ing)?", "runtime file, written to the runtime file",
   "its record", "recordings of a talk"),
  # the noun only: QEMU places a device
  (_DETERMINERS + r" places?", "address, slot",
   "NICs without a place", "QEMU places it, or replaces it"),
  (r"le(?:t|ts|tting) go(?: of)?", "the unplug completed, timed out",
   "the guest has not\nlet go of it", "let it go on here"),
  (r"(?:ha[sd]|have|is|are|was|were|been) (?:already |not |just )*"
   r"(?:gone|come)", "was removed, is attached, arrived, moved",
   "once the device has gone", "disks come first on the command line"),
  (r"com(?:e|es|ing) (?:and|or) (?:go|goes|going|gone|leaves?)|"
   r"came (?:and|or) went", "was added or removed",
   "what came and went", "8 comes last"),
  (r"(?:leaves?|left) (?:the|its) (?:runtime )?file",
   "is removed from the runtime file",
   "it leaves the runtime file", "it leaves the files as they are"),
  (r"(?:stands?|stood|is|was) behind", "backend",
   "what stands behind it", "a disk behind a controller"),
  (r"(?:un)?pin(?:s|ned|ning)?", "explicit address, fixed",
   "a pinned device", "spinning"),
  (r"stock", "unmodified Ganeti, upstream (of code)",
   "on stock", "stocks"),
  # the file that lists patches has that name, and stands between ticks
  (r"series", "Ganeti version, release",
   "each series", "the file serial"),
  (r"kinds?", "Ganeti version, release, type",
   "of another kind", "kindly"),
  (r"replay(?:s|ed|ing)?", "migration check, started from the runtime file",
   "a plain replay", "it replaces"),
  (r"witness(?:es)?", "topology", "the witness", "with"),
  (r"ma(?:ke|kes|de|king) no sense", "unexpected reply to QMP command X",
   "that makes no sense", "it makes no difference"),
  (r"(?:none|no \w+) that (?:is|are) known", "unsupported",
   "no Ganeti that is known", "all that is known"),
  (r"ways? (?:in and )?out", "remedy, fix",
   "the way out", "the way back"),
  (r"foret(?:ells?|elling|old)", "reports, predicts",
   "it foretells", "it tells before"),
  ]


def prose(text, markdown):
  """Blank what a page quotes.

  @param text: a page
  @param markdown: whether it is Markdown; else, it is reStructuredText
  @return: the same, as many lines, without code and literal blocks

  """
  lines = []
  inside = False
  literal = None # what introduces a literal block is indented so far
  for line in text.split("\n"):
    fence = markdown and line.lstrip().startswith("```")
    if fence:
      inside = not inside
    if not markdown and line.strip():
      indent = len(line) - len(line.lstrip())
      inside = literal is not None and indent > literal
      if not inside:
        shown = line.endswith("::") and not line.lstrip().startswith("..")
        literal = indent if shown else None
    lines.append("" if fence or inside else line)
  tick = "`" if markdown else "``"
  return re.sub(r"(?<!`)%s(?!`)(?:(?!\n\n)[^`])+%s" % (tick, tick),
                lambda found: "\n" * found.group().count("\n"),
                "\n".join(lines))


def offences(text, markdown):
  """List the terms of the table that a page has.

  @rtype: list of tuples of three
  @return: number of the line, what stands there, what to say

  """
  text = prose(text, markdown)
  found = []
  for pattern, instead, _, _ in TERMS:
    pattern = r"\b(?:%s)\b" % pattern.replace(" ", r"\s+")
    for match in re.finditer(pattern, text, re.IGNORECASE):
      found.append((text.count("\n", 0, match.start()) + 1,
                    " ".join(match.group().split()), instead))
  return sorted(found)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_the_terms_of_the_field(page):
  found = offences("\n".join(documents.lines_of(page)), page.endswith(".md"))
  assert not found, "\n".join("%s:%d: %r: say %s" % ((page, ) + offence)
                              for offence in found)


@pytest.mark.parametrize("pattern, instead, wrong, right", TERMS)
def test_a_term_is_found_and_its_like_is_not(pattern, instead, wrong, right):
  assert pattern and instead in [say for _, _, say in offences(wrong, True)]
  assert instead not in [say for _, _, say in offences(right, True)]


@pytest.mark.parametrize("text, markdown, lines", [
  ("a\non stock,\n", True, [2]),
  ("`stock`", True, []), ("``on stock,\non stock``", False, []),
  ("``a``\nstock ``b``", False, [2]), ("`stock`_", False, [1]),
  ("```\nstock\n```\nstock", True, [4]),
  ("prints::\n\n  stock\n\n  stock\n\nstock", False, [7]),
  ("- prints::\n\n    stock\n\n- stock", False, [5]),
  ("  prints::\n\n    stock\n\n  stock", False, [5]),
  (".. list-table::\n\n   * - stock", False, [3]),
  ("has\ngone", False, [1])])
def test_what_is_quoted_is_not_looked_at(text, markdown, lines):
  assert [line for line, _, _ in offences(text, markdown)] == lines
