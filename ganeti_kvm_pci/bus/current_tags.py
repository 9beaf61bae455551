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

"""What the tags of a frozen instance should be now, and why they are not.

L{frozen} tags say where a device was when they were written. Hotplug and boots
change that: these bring them up to date without giving anything up.

"""

from . import frozen


def _place(tag):
  return (tag.unit, tag.number)


def _device(tag):
  return (tag.device_class, tag.uuid)


def _name(tag, names):
  """Name the device of a tag as a person does."""
  return "%s (%s)" % (names.get(_device(tag), tag.device_class), tag.uuid)


class Layout(object):
  """Where the devices of an instance are.

  @ivar here: dict, each device that can be kept to the tag that would do it
  @ivar used: dict, what is taken, (unit, number), to what has it
  @ivar others: dict, likewise, of what is not among the former
  @ivar part: see L{frozen.obstacle}, or None where it is not known
  @ivar made_first: likewise

  """
  def __init__(self, now, others=None, part=None, made_first=0):
    """Note it.

    @type now: collection of strings
    @param now: the tags by which its devices would stay where they are
    @type others: dict or None
    @param others: what others have: (unit, number) to a string

    """
    self.here = dict((_device(tag), tag)
                     for tag in [frozen.parse(text) for text in now])
    self.others = dict(others or {})
    self.used = dict(self.others)
    self.used.update((_place(tag), "%s %s" % _device(tag))
                     for tag in self.here.values())
    self.part = part
    self.made_first = made_first

  def obstacle(self, tag):
    """Tell why no device can have what a tag says, see L{frozen.obstacle}."""
    if self.part is None or tag.unit != self.part.unit:
      return None
    return frozen.obstacle(self.part, tag.number, {}, self.made_first)


def is_frozen(tags):
  """Tell whether any device of an instance has a tag.

  @param tags: all that the instance has
  @rtype: bool

  """
  return bool(frozen.Frozen(tags).tags)


def _of_those_there(own, layout):
  """Choose the tag of each device that is there: its own, or of where it is.

  @type own: list of L{frozen.Tag}
  @rtype: dict
  @return: device to L{frozen.Tag}

  """
  chosen = dict(layout.here)
  for device, here in layout.here.items():
    fitting = [tag for tag in own if _device(tag) == device and
               tag.unit == here.unit]
    if len(fitting) == 1:
      chosen[device] = fitting[0]

  def hindered():
    """Find one that cannot move to where its tag says."""
    stays = set(_place(tag) for tag in chosen.values() if tag in
                layout.here.values())
    wanted = {}
    for device, tag in sorted(chosen.items()):
      if tag != layout.here[device]:
        if _place(tag) in stays:
          return device
        wanted.setdefault(_place(tag), []).append(device)
    return ([None] + [device for _, several in sorted(wanted.items())
                      for device in several[1:]])[-1]

  device = hindered()
  while device:
    chosen[device] = layout.here[device]
    device = hindered()
  return chosen


def updated(tags, layout):
  """Bring the tags of a frozen instance up to date.

  A device without a tag gets that of where it is. One that is elsewhere than
  its tag says keeps it, unless another has that which is to stay there: a boot
  on a node without the plugin, which places all anew, changes nothing for good.
  (QEMU's own devices go around the tags at the next boot with it.) The tag of a
  device that was removed stays until another is to have its slot.

  @type tags: collection of strings
  @param tags: all that the instance has
  @type layout: L{Layout}
  @rtype: list of strings
  @return: what of L{frozen} it should have; of what has the form, no slot twice
      and no device that is there twice

  """
  own = frozen.Frozen(tags).tags
  found = dict((_place(tag), tag)
               for tag in _of_those_there(own, layout).values())
  for tag in own:
    if _device(tag) not in layout.here:
      found.setdefault(_place(tag), tag)
  # not for the likes of this to remove
  return sorted([tag.text for tag in found.values()] +
                [tag for tag in set(tags) if frozen.is_one(tag) and
                 not frozen.parse(tag)])


def outdated(tags, layout, names):
  """Tell what of the tags of an instance is not as it should be.

  @param tags: see L{updated}
  @type layout: L{Layout}
  @type names: dict
  @param names: (class, first eight digits of the uuid) to a device's name
  @rtype: list of tuples (string, bool)
  @return: what it is, and whether L{updated} mends it; empty for one that is
      not frozen

  """
  own = frozen.Frozen(tags)
  found = [("the tag %s means nothing: %s" % (unmet.tag, unmet.reason), False)
           for unmet in own.unmet]
  if not own.tags:
    return found
  wanted = updated(tags, layout)
  for device, here in sorted(layout.here.items()):
    fitting = [tag for tag in own.tags if _device(tag) == device and
               tag.unit == here.unit]
    name = _name(here, names)
    where = frozen.show(here.unit, here.number)
    if not fitting:
      found.append(("%s has no tag: %s is not kept for it" % (name, where),
                    True))
    elif len(fitting) > 1:
      found.append(("%s has the tags %s: two mean nothing" % (
        name, " and ".join(tag.text for tag in fitting)), True))
    elif _place(fitting[0]) != _place(here):
      found.append(_elsewhere(name, where, fitting[0], wanted, layout))
  for tag in own.tags:
    if _device(tag) not in layout.here and tag.text not in wanted:
      found.append(("the tag %s is of a device that is not there, and another"
                    " has %s" % (tag.text, frozen.show(tag.unit, tag.number)),
                    True))
  return found


def _elsewhere(name, where, tag, wanted, layout):
  """Say that a device is not where its tag says."""
  text = "%s has %s, not %s of its tag %s" % (
    name, where, frozen.show(tag.unit, tag.number), tag.text)
  obstacle = layout.obstacle(tag)
  if obstacle:
    return ("%s: it cannot, %s" % (text, obstacle), False)
  if tag.text in wanted:
    return ("%s: it is to move there at the next cold boot%s" % (
      text, ", unless %s stays there" % layout.others[_place(tag)]
      if _place(tag) in layout.others else ""), False)
  return ("%s: it cannot, %s has that" % (
    text, layout.used.get(_place(tag), "another")), True)
