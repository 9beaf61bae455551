"""What the hook's file imports: this name stays, whatever is renamed.

"""

from .node.import_hook import Finder # pylint: disable=unused-import
