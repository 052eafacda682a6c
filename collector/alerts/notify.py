"""Deliver one message by Apprise: `python -m collector.alerts.notify`, a process of its own.

JSON on stdin: `{"url", "title", "body", "kind"}`; exit code 0 where it was taken, 1 where not. Or
`{"check": [url, …]}`: the positions of those that are no address, as JSON on stdout. No address is ever printed.
"""

from __future__ import annotations

import json
import logging
import sys


def main() -> int:
    logging.disable(logging.CRITICAL)  # what Apprise logs may hold addresses
    import apprise  # noqa: PLC0415 - after the logging is off

    asked = json.load(sys.stdin)
    if "check" in asked:
        wrong = [index for index, url in enumerate(asked["check"]) if apprise.Apprise.instantiate(url) is None]
        print(json.dumps(wrong))
        return 0
    sender = apprise.Apprise()
    taken = sender.add(asked["url"]) and sender.notify(
        title=asked["title"], body=asked["body"], notify_type=asked["kind"]
    )
    return 0 if taken else 1


if __name__ == "__main__":
    sys.exit(main())
