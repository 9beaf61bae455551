"""What is printed for programs, held against doc/output-schema.json.

As much of JSON Schema as that file uses; what it does not know, it refuses.

"""

import json
import os

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
  os.path.abspath(__file__))))

with open(os.path.join(TOP, "doc", "output-schema.json")) as _stream:
  SCHEMA = json.load(_stream)

_TYPES = {
  "object": dict, "array": list, "string": type(b"".decode("ascii")),
  "boolean": bool, "null": type(None), "integer": int}


def _is_a(value, name):
  return isinstance(value, _TYPES[name]) and (
    name != "integer" or not isinstance(value, bool))


def problems(value, schema=None, where="$"):
  """List what is not as the schema says.

  @rtype: list of strings

  """
  schema = dict(SCHEMA if schema is None else schema)
  schema.pop("title", None)
  schema.pop("definitions", None)
  found = []

  def complain(text, *args):
    found.append("%s: %s" % (where, text % args))

  if "$ref" in schema:
    name = schema.pop("$ref")[len("#/definitions/"):]
    found.extend(problems(value, SCHEMA["definitions"][name], where))
  if "oneOf" in schema:
    outcomes = [problems(value, option, where)
                for option in schema.pop("oneOf")]
    if len([outcome for outcome in outcomes if not outcome]) != 1:
      complain("not one of: %s", outcomes)
  if "enum" in schema:
    options = schema.pop("enum")
    # True is 1 to Python
    if not any(value == option and
               isinstance(value, bool) == isinstance(option, bool)
               for option in options):
      complain("%r is none of %r", value, options)
  if "type" in schema:
    names = schema.pop("type")
    names = names if isinstance(names, list) else [names]
    if not any(_is_a(value, name) for name in names):
      complain("%r is no %s", value, names)
      return found
  for key, fits in (
      ("minimum", lambda limit: value is None or value >= limit),
      ("maximum", lambda limit: value is None or value <= limit),
      ("minItems", lambda limit: len(value) >= limit),
      ("maxItems", lambda limit: len(value) <= limit)):
    if key in schema and not fits(schema.pop(key)):
      complain("%s of %r", key, value)
  items = schema.pop("items", None)
  for at, item in enumerate(value if items is not None else ()):
    found.extend(problems(item, items, "%s[%d]" % (where, at)))
  for key in schema.pop("required", ()):
    if key not in value:
      complain("no %s", key)
  known = schema.pop("properties", {})
  for key, inner in known.items():
    if key in value:
      found.extend(problems(value[key], inner, "%s.%s" % (where, key)))
  if not schema.pop("additionalProperties", True):
    for key in set(value) - set(known):
      complain("%s is not in the schema", key)
  assert not schema, "the test does not know %s" % schema
  return found


def read(text):
  """Read what a command has printed; it must be as the schema says."""
  document = json.loads(text)
  assert problems(document) == []
  return document
