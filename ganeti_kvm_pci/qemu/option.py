#
#

# Copyright (C) 2026 the Ganeti project
# All rights reserved.
#
# Redistribution and use in source and binary forms, with or without
# modification, are permitted provided that the following conditions are
# met:
#
# 1. Redistributions of source code must retain the above copyright notice,
# this list of conditions and the following disclaimer.
#
# 2. Redistributions in binary form must reproduce the above copyright
# notice, this list of conditions and the following disclaimer in the
# documentation and/or other materials provided with the distribution.
#
# THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS
# IS" AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED
# TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR
# PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR
# CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL,
# EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO,
# PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR
# PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF
# LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING
# NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS
# SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.

"""The argument of one of QEMU's options as QEMU reads it: words, or JSON.

C{key=value} pairs between commas, in which a doubled comma is one of the value
(get_opt_name_value() and get_opt_value() in util/qemu-option.c, QEMU 5.2 to
11.1); or, for C{-device} since 6.2, JSON, whose texts may stand in single
quotes as well. What need not change is left as it was written.

"""

import json
import re

_KEY_RE = re.compile(r"[^=,]*")
_VALUE_RE = re.compile(r"(?:[^,]|,,)*")

#: What is a key, or a driver, however it is written.
_NAME_RE = re.compile(r"[^=,{]+\Z")

#: A text in JSON, in either quotes; what in it has to be written otherwise.
_TEXT_RE = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')""", re.S)
_QUOTED_RE = re.compile(r"""\\(.)|(")""", re.S)

#: A number as QEMU reads it: hexadecimal, octal or decimal.
_NUMBER_RE = re.compile(
  r"\s*\+?(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))\Z")

#: The base of each group of that.
_BASES = {1: 16, 2: 8, 3: 10}


def number(value):
  """Read a number of an option.

  @param value: a text, or in JSON anything
  @rtype: int or None

  """
  if isinstance(value, int) and not isinstance(value, bool):
    return value
  match = _NUMBER_RE.match(value) if hasattr(value, "split") else None
  return match and int(match.group(match.lastindex), _BASES[match.lastindex])


def _cut(text):
  """Cut an argument at its commas.

  A comma at the very end begins nothing.

  @rtype: list of (string, string, string or None)
  @return: each part as written, its key, and its value; None for a lone word

  """
  if ",," not in text: # as nearly always, and then it takes half the time
    parts = [(part, ) + tuple(part.split("=", 1)) if "=" in part else
             (part, part, None) for part in text.split(",")]
    if len(parts) > 1 and not parts[-1][0]:
      parts.pop()
    return parts
  parts = []
  at = 0
  while at < len(text) or not parts:
    end = _KEY_RE.match(text, at).end()
    key, value = text[at:end], None
    if text[end:end + 1] == "=":
      start = end + 1
      end = _VALUE_RE.match(text, start).end()
      value = text[start:end].replace(",,", ",")
    elif not parts: # a value without its key
      end = _VALUE_RE.match(text, at).end()
      key = text[at:end].replace(",,", ",")
    parts.append((text[at:end], key, value))
    at = end + 1
  return parts


def split(text):
  """Split an argument at its commas.

  @rtype: list of (key, value) pairs
  @return: in the order of the text; the value of a lone word is None

  """
  return [(key, value) for _, key, value in _cut(text)]


def join(pairs):
  """Put an argument together; the reverse of L{split}."""
  return ",".join(k.replace(",", ",,") if v is None else
                  "%s=%s" % (k, v.replace(",", ",,")) for k, v in pairs)


def _flag(word):
  """Read a lone word: C{key} means C{key=on}, C{nokey} means C{key=off}."""
  if word.startswith("no"):
    return (word[2:], "off")
  return (word, "on")


def from_json(text):
  """Read an argument in JSON.

  @rtype: dict or None
  @return: None if it is none

  """
  def requote(match):
    inside = _QUOTED_RE.sub(
      lambda part: {"'": "'", None: '\\"'}.get(part.group(1), part.group()),
      match.group()[1:-1])
    return '"%s"' % inside

  if not text.startswith("{"):
    return None
  try:
    found = json.loads(_TEXT_RE.sub(requote, text))
  except ValueError:
    return None
  return found if isinstance(found, dict) else None


def _plain(value):
  """Write a value of JSON as one of an option; None if there is no way."""
  if isinstance(value, bool):
    return "on" if value else "off"
  if isinstance(value, int):
    return "%d" % value
  return value if hasattr(value, "split") else None


def from_json_to_words(text):
  """Write an argument in JSON as C{key=value} pairs that mean the same.

  @rtype: string or None
  @return: None if it is no JSON, or holds what these cannot say: lists, dicts,
      null, fractions

  """
  found = from_json(text) or {}
  pairs = sorted((key, _plain(value)) for key, value in found.items())
  driver = found.get("driver")
  # a number is devfn in JSON, and a slot in hex in words
  if driver is None or isinstance(found.get("addr"), int):
    return None
  if _plain(driver) != driver or not _NAME_RE.match(driver) or not all(
      value is not None and _NAME_RE.match(key) for key, value in pairs):
    return None
  return join([(driver, None)] + [pair for pair in pairs
                                  if pair[0] != "driver"])


def _as_json(values):
  # QEMU reads it as one argument; unmodified Ganeti would split blanks in
  # kvm_extra, should an administrator copy it there
  return json.dumps(values, separators=(",", ":"), sort_keys=True)


def keys(text, first="driver"):
  """Read the keys of an argument.

  @param first: the key of a first word that has none
  @rtype: dict
  @return: of words, key to string; of a key that is repeated the last value,
      but the first C{id}; in JSON, a value may be anything

  """
  found = from_json(text)
  if found is not None:
    return found
  found = {}
  for _, key, value in _cut(text):
    if value is None:
      key, value = _flag(key) if found else (first, key)
    if key != "id" or key not in found:
      found[key] = value
  return found


def without(text, names):
  """Take keys out of an argument.

  @type names: collection of strings
  @rtype: string

  """
  found = from_json(text)
  if found is not None:
    return _as_json(dict(pair for pair in found.items()
                         if pair[0] not in names))
  first = True
  kept = []
  for written, key, value in _cut(text):
    if value is not None and key in names:
      first = False
      continue
    if not (kept or first) and value is None:
      # it would be taken for the value that comes first without its key
      written = "%s=%s" % _flag(key)
    kept.append(written)
  return ",".join(kept)


def with_first(text, key, value):
  """Give the key that a first word without a key stands for a new value.

  @param key: that key
  @rtype: string

  """
  parts = _cut(without(text, [key]))
  kept = [written for written, _, _ in
          parts[1 if parts[0][2] is None else 0:]]
  return ",".join([join([(value, None)])] + kept)


def put(text, pairs):
  """Give keys of an argument new values.

  @type pairs: list of (key, value) pairs
  @rtype: string

  """
  rest = without(text, [key for key, _ in pairs])
  found = from_json(rest)
  if found is not None:
    return _as_json(dict(found, **dict(pairs)))
  return ",".join(([rest] if rest else []) + [join(pairs)])
