"""Run one verb of the platform from the command line: `python -m include VERB [ARGUMENT …]`.

The result is printed as JSON on the last line; everything else goes to the error stream.
"""

import inspect
import json
import logging
import sys
from collections.abc import Callable

from include.pipeline import verbs
from include.settings import load_settings


def main(arguments: list[str]) -> int:
    """Run the verb that is named first with the rest as its arguments."""
    known = verbs()
    if not arguments or arguments[0] not in known:
        said = f"unknown verb {arguments[0]!r}" if arguments else "no verb given"
        sys.stderr.write(f"{said}; use one of: {', '.join(sorted(known))}\n")
        return 2
    name, verb = arguments[0], known[arguments[0]]
    try:
        given = _read(verb, arguments[1:])
    except (TypeError, ValueError) as error:
        taken = ", ".join(list(inspect.signature(verb).parameters)[1:]) or "no arguments"
        sys.stderr.write(f"{name} takes {taken}: {error}\n")
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    result = verb(load_settings(), *given)
    print(json.dumps(result, default=str), flush=True)
    return 0


def _read(verb: Callable[..., object], given: list[str]) -> list[object]:
    """Read arguments as what a verb takes, text or whole numbers; raises where they do not fit."""
    signature = inspect.signature(verb)
    signature.bind(None, *given)
    wanted = list(signature.parameters.values())[1:]
    return [int(v) if p.annotation is int else v for p, v in zip(wanted, given, strict=False)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
