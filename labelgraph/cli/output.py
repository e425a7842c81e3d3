"""What commands say: results on standard output, all else on standard error."""

from __future__ import annotations

import json
import math
import sys
from typing import Any


def note(text: str) -> None:
    """Tell something beside the result."""
    print(text, file=sys.stderr, flush=True)


def print_json(content: dict[str, Any]) -> None:
    """Print one JSON object; numbers that are not finite, which JSON does not know, become null."""
    print(json.dumps(_finite(content), indent=1, ensure_ascii=False, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
