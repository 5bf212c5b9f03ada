"""A signature: what goes in and what comes out, ``Image(28, 28, 1) >> Class("cat", "dog")``.

The class stands in `tacit.signature.base`, beside the operator that makes it.
"""

from tacit.signature.base import Signature

__all__ = ["Signature"]
