"""Errors."""


class GenericError(Exception):
  pass


class HypervisorError(GenericError):
  pass


class HotplugError(HypervisorError):
  pass


class ConfigurationError(GenericError):
  pass
