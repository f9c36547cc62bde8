"""On PYTHONPATH of an EverOS under test: counts a byte as a token, where the real table would be fetched from the network,
and logs errors without the frames' variables, which take seconds to print."""

import sys

import tiktoken
from tiktoken import Encoding

_bytes = Encoding(
    name="bytes",
    pat_str=r"[\s\S]",
    mergeable_ranks={bytes([value]): value for value in range(256)},
    special_tokens={},
)
tiktoken.get_encoding = lambda name: _bytes

sys.modules["rich"] = None
import structlog.dev  # noqa: E402, F401

del sys.modules["rich"]
