"""The form of the golden files: two commands side by side, as text.

Nothing here knows Ganeti or the file system.

"""

import difflib
import re

try:
  from shlex import quote
except ImportError: # Python 2
  from pipes import quote

#: What a line begins with.
BOTH, UNMODIFIED, PLUGIN = "  ", "- ", "+ "
_LEGEND = "# - unmodified Ganeti only   + with the plugin only"

#: The only line of a file whose content another release's file has.
_SAME_RE = re.compile(r"^same as (\S+)\n$")


def command_lines(words):
  """Write a command, one option to a line.

  @type words: list of strings
  @rtype: list of strings

  """
  lines = [quote(words[0])]
  for word in words[1:]:
    if re.match("-+[a-zA-Z]", word):
      lines.append(quote(word))
    else:
      lines[-1] += " " + quote(word)
  return lines


def side_by_side(unmodified, plugin):
  """Write what unmodified Ganeti and the plugin make of one case.

  @type unmodified: list of strings
  @type plugin: list of strings
  @rtype: string

  """
  lines = [_LEGEND]
  matcher = difflib.SequenceMatcher(None, unmodified, plugin, False)
  for tag, i, j, k, m in matcher.get_opcodes():
    if tag == "equal":
      lines.extend(BOTH + line for line in plugin[k:m])
      continue
    lines.extend(UNMODIFIED + line for line in unmodified[i:j])
    lines.extend(PLUGIN + line for line in plugin[k:m])
  return "".join(line.rstrip() + "\n" for line in lines)


def is_same(text):
  """Tell whether unmodified Ganeti and the plugin make the same."""
  return not re.search("(?m)^[-+]", text)


def order(release):
  """Return a key that sorts releases, C{3.1.0~rc2} before C{3.1.0}."""
  number, _, candidate = release.partition("~")
  return ([int(n) for n in re.findall(r"\d+", number)],
          candidate == "", candidate)


def resolve(files, release):
  """Return what a release's golden file says.

  @type files: dict
  @param files: of one case, release to the text of its file
  @rtype: string or None

  """
  text = files.get(release)
  found = _SAME_RE.match(text or "")
  return files[found.group(1)] if found else text


def update(files, release, text):
  """Put a release's result in, and store once what releases share.

  What the files of other releases say stays the same, and what is stored stays
  in the file that it is in: a change is a change there.

  @type files: dict
  @param files: of one case, release to the text of its file
  @rtype: dict
  @return: all files of the case

  """
  whole = dict((name, resolve(files, name)) for name in files)
  whole[release] = text
  owners = {}
  for name in sorted(whole, key=lambda name: (
      files.get(name) != whole[name], order(name))):
    owners.setdefault(whole[name], name)
  return dict((name, said if owners[said] == name else
               "same as %s\n" % owners[said]) for name, said in whole.items())
