"""Uses a stdio MCP server with Python's own client, and prints what it saw as JSON."""

import asyncio
import json
import os
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main(command: str, *arguments: str) -> None:
    server = StdioServerParameters(command=command, args=list(arguments), env=dict(os.environ))
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        tools = await session.list_tools()
        good = await session.call_tool("bucket_list", {})
        bad = await session.call_tool("package_list", {"bucket": "no-such-bucket"})
        print(json.dumps({
            "tools": len(tools.tools),
            "buckets": json.loads(good.content[0].text)["total"],
            "error": json.loads(bad.content[0].text)["error"]["code"],
        }))


asyncio.run(main(*sys.argv[1:]))
