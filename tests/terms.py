"""The field's terms: what is not said, and how that is found.

A page, a Python file and a script are read as prose: what is quoted in them is
not looked at, and a name is read as the words that it is made of.

"""

import io
import re
import tokenize

_DETERMINERS = r"(?:an?|the|its?|their|no|own|same|other|another|this|that)"

#: What is not said, what is said instead, an example of the first, and one of
#: what is meant otherwise and stays
TERMS = [
  # what -machine names is called so by QEMU, and by libvirt's <type>; a state
  # machine is another thing
  (r"(?<![-/])(?<!state\x20)machines?(?!=')(?! (?:types?|versions?)\b)",
   "instance (Ganeti's), guest (the system inside), host",
   "the same machine again", "another machine type, a state machine"),
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
  # of patches, it is git's own word
  (r"(?:ganeti(?:'s)?|release|version|same) series|series of (?:ganeti|releases)",
   "Ganeti version, release", "the same series", "a series of patches"),
  (r"kinds?", "Ganeti version, release, type",
   "of another kind", "kindly"),
  (r"replay(?:s|ed|ing)?", "migration check, started from the runtime file",
   "a plain replay", "it replaces"),
  (r"witness(?:es)?", "topology", "the witness", "with"),
  (r"ma(?:ke|kes|de|king) no sense", "unexpected reply to QMP command X",
   "that makes no sense", "it makes no difference"),
  (r"(?:none|no \w+) that (?:is|are) known", "unsupported",
   "no Ganeti that is known", "all that is known"),
  (r"ways? (?:in and )?out(?! of the use)", "remedy, fix",
   "the way out", "the way back"),
  (r"foret(?:ells?|elling|old)", "reports, predicts",
   "it foretells", "it tells before"),
  ]


def _lines(found):
  """Return the ends of lines in a match, and nothing else of it."""
  return "\n" * found.group().count("\n")


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
                _lines, "\n".join(lines))


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


#: What a docstring or a comment quotes, and what a text fills in
_QUOTED_RE = re.compile(r"[CLI]\{[^}]*\}|`[^`\n]*`|%[a-z]")

#: A literal: its prefix and the quotes around it
_LITERAL_RE = re.compile(r"([a-zA-Z]*)(\"{3}|'{3}|\"|')(.*)\2$", re.DOTALL)

#: Ends a word in a name: camelCase, HTTPServer
_HUMP_RE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

#: What a script's comment begins with
_HASH_RE = re.compile(r"^([ \t]*)#+", re.MULTILINE)


def words_of(name):
  """Read a name as words, e.g. C{_HasAddress} as "has address"."""
  return " ".join(_HUMP_RE.sub("_", name).lower().strip("_").split("_"))


def _content(literal):
  """Return what is between the quotes of a string, escapes as blanks."""
  prefix, _, text = _LITERAL_RE.match(literal).groups()
  return text if "r" in prefix.lower() else re.sub(r"\\[^\n]", " ", text)


def _joined(pieces):
  """Join the strings that Python joins, each on a line of its own.

  @type pieces: list of tuples of two
  @param pieces: number of the line, what is between the quotes
  @rtype: string

  """
  first = pieces[0][0]
  text = ""
  for line, piece in pieces:
    if text[-1:].strip():
      # a word over two strings is one word: its line ends behind it
      word = re.match(r"\S*", piece).group()
      text, piece = text + word, piece[len(word):]
    if piece:
      text += "\n" * (line - first - text.count("\n")) + piece
  return text


def said(source):
  """Yield what a Python file says.

  A string without a blank is a value, no message.

  @type source: string
  @return: a generator of tuples of two: number of the line, text

  """
  comment, strings = [], []
  for token in tokenize.generate_tokens(io.StringIO(source).readline):
    line = token[2][0]
    if comment and (token[0] != tokenize.COMMENT and token[0] != tokenize.NL or
                    line > comment[0][0] + len(comment)):
      yield (comment[0][0], "\n".join(text for _, text in comment))
      comment = []
    if token[0] == tokenize.COMMENT:
      comment.append((line, token[1].lstrip("#: ")))
    elif token[0] == tokenize.STRING:
      strings.append((line, _content(token[1])))
    elif token[0] != tokenize.NL:
      text = _joined(strings) if strings else ""
      if re.search(r"\s", text):
        yield (strings[0][0], text)
      strings = []
    if token[0] == tokenize.NAME:
      yield (line, words_of(token[1]))


def offences_in_code(source):
  """List the terms of the table that a Python file has, see L{offences}."""
  found = set()
  for line, text in said(source):
    for offset, what, instead in offences(_QUOTED_RE.sub(_lines, text), True):
      found.add((line + offset - 1, what, instead))
  return sorted(found)


def offences_in_script(source):
  """List the terms of the table that a script has, see L{offences}.

  A shell script or a Makefile; its comments, its commands and what they print.

  """
  return offences(_HASH_RE.sub(r"\1", source), True)
