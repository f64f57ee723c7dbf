"""``python -m shop`` tells the story, with ``--async`` on an event loop. The configuration says where data are."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from shop.async_dal import AsyncShop
from shop.dal import Shop
from shop.story import atell, tell


def main() -> list[Any]:
    with Shop() as shop:
        shop.ensure()
        return tell(shop)


async def amain() -> list[Any]:
    async with AsyncShop() as shop:
        await shop.ensure()
        return await atell(shop)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(amain()) if "--async" in sys.argv else main(), indent=1))
