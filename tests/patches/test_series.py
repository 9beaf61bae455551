"""What the small series of patches are: short, tested, and nobody's yet."""

import os
import re

import pytest

import series

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
  os.path.abspath(__file__))))
SOURCES = os.path.join(TOP, ".cache", "debian-source")

UNSIGNED = ("A person has to read this and sign it off: it has no Signed-off-by"
            " yet.")
ALL = [os.path.relpath(path, series.PATCHES)
       for name in (series.NEWS, ) + series.SERIES
       for branch in series.branches(name)
       for path in series.patches(name, branch)]
#: All but those that only open a section of NEWS.
CODE = [path for path in ALL if not path.startswith(series.NEWS)]


def text_of(path):
  with open(os.path.join(series.PATCHES, path), encoding="utf-8") as stream:
    return stream.read()


def message_of(path):
  """Return the header of a patch, its subject and its text."""
  head, _, text = text_of(path).partition("\n---\n")[0].partition("\n\n")
  header, subject = re.match(r"(?s)(.*)\nSubject: (.*)$", head).groups()
  return header, subject.replace("\n ", " "), text


def test_there_are_some_for_each_of_the_first():
  for name in ("partition", "creation-order"):
    assert series.branches(name) == ["master", "stable-3.1", "stable-3.0"]
  assert series.branches("reserved-slots") == ["stable-2.15", "stable-2.10"]
  for name in series.SERIES:
    for branch in series.branches(name):
      assert branch in series.branches(series.NEWS)


@pytest.mark.parametrize("path", ALL)
def test_nobody_is_named_as_author(path):
  header, subject, text = message_of(path)
  assert header.split("\n")[1] == \
    "From: A person has to sign this <nobody@example.com>"
  assert "igned-off-by:" not in text_of(path)
  assert " ".join(text.split("\n\n")[-1].split()) == UNSIGNED
  assert len(re.sub(r"^\[PATCH[^]]*\] ", "", subject)) <= 72
  # a command is one line
  assert all(len(line) <= (80 if line.startswith("  ") else 76)
             for line in text.split("\n"))


@pytest.mark.parametrize("path", CODE)
def test_a_message_has_a_command_that_shows_the_fault(path):
  assert re.search(r"(?m)^  .*gnt-instance \w+ ", message_of(path)[2])


@pytest.mark.parametrize("path", CODE)
def test_a_patch_is_short_and_has_a_test_and_news(path):
  path = os.path.join(series.PATCHES, path)
  changed = [name for name, _ in series.changes(path)]
  assert "NEWS" in changed
  found = series.counts(path)
  assert found["tests"] and sum(found.values()) <= 250, found


@pytest.mark.parametrize("name", series.SERIES)
def test_the_code_of_a_whole_series_is_some_dozens_of_lines(name):
  for branch in series.branches(name):
    assert sum(series.counts(path)["code"]
               for path in series.patches(name, branch)) <= 100


@pytest.mark.parametrize("path", ALL)
def test_a_hunk_has_at_most_one_line_of_context_on_a_side(path):
  text = text_of(path)
  for head, hunk in re.findall(
      r"(?m)^(@@ .*)\n((?:[-+ ].*\n)*)", text.partition("\ndiff ")[2]):
    assert re.match(r"@@ -\d+,\d+ \+\d+,\d+ @@$", head)
    signs = re.sub(r"(.).*\n", r"\1", hunk)
    assert re.match(r" ?-*\++ ?$| ?-+ ?$", signs), hunk


def test_whatever_is_quoted_is_debians():
  """With those of Debian's sources that were fetched, be it none."""
  sources = [os.path.join(SOURCES, suite, "source")
             for suite in series.make_series().SUITES]
  if all(os.path.isdir(source) for source in sources):
    series.check_quoted(sources)


def test_the_readme_has_the_table_of_lines():
  """Run "tools/check-patches --counts" if this fails."""
  text = text_of("README.md")
  assert series.with_table(text) == text


def test_the_readme_has_each_series():
  text = text_of("README.md")
  for name in series.SERIES:
    if series.branches(name):
      assert "\n### %s\n" % name in text
      (row, ) = re.findall(r"(?m)^\| `%s` +\| .* \| ([^|]*\S) +\|$" % name,
                           text)
      assert row.split(", ") == series.branches(name)


@pytest.mark.parametrize("start, removed, added, expected", [
  # the line below is none of Debian's: moved to where it is
  (2, [], ["new", ""], (1, ["", "new"], [], [""])),
  (1, ["b"], ["x"], None),
  # at the end of the file there is none
  (4, [], ["x"], (4, ["x"], [], [])),
])
def test_a_hunk_is_put_where_it_quotes_what_it_may(start, removed, added,
                                                   expected):
  tool = series.make_series()
  old = ["a", "", "b", "c"]
  known = set([""])
  if expected is None:
    with pytest.raises(tool.Failure):
      tool.placed("file", old, start, removed, added, known)
  else:
    assert tool.placed("file", old, start, removed, added, known) == expected
