"""Whether two rows of measurements differ by more than chance."""

import statistics


def _ranks(values):
  """Give each value its rank; equal ones share theirs."""
  order = sorted(range(len(values)), key=values.__getitem__)
  ranks = [0] * len(values)
  first = 0
  while first < len(order):
    last = first
    while last + 1 < len(order) and \
        values[order[last + 1]] == values[order[first]]:
      last += 1
    for at in order[first:last + 1]:
      ranks[at] = (first + last) / 2 + 1
    first = last + 1
  return ranks


def mann_whitney(one, other):
  """Test whether values of one row tend to be greater than of the other.

  Two-sided, with the normal approximation, corrected for equal values.

  @type one: list of numbers
  @type other: list of numbers
  @rtype: float
  @return: p, how likely a difference as great as this one is by chance

  """
  count = len(one) + len(other)
  ranks = _ranks(one + other)
  u = sum(ranks[:len(one)]) - len(one) * (len(one) + 1) / 2
  ties = sum(n ** 3 - n for n in (ranks.count(rank) for rank in set(ranks)))
  spread = (len(one) * len(other) / 12 *
            (count + 1 - ties / (count * (count - 1)))) ** 0.5
  if not spread:
    return 1.0
  away = abs(u - len(one) * len(other) / 2) / spread
  return 2 * statistics.NormalDist().cdf(-away)
