"""Uses an MCP server over HTTP with Python's own client and with FastMCP's, and prints what they saw."""

import asyncio
import json
import sys

from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from mcp import ClientSession
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client


async def with_mcp(url: str, token: str) -> dict:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        create_mcp_http_client(headers=headers) as http,
        streamable_http_client(url, http_client=http) as streams,
        ClientSession(streams[0], streams[1]) as session,
    ):
        await session.initialize()
        tools = await session.list_tools()
        resources = await session.list_resources()
        good = await session.call_tool("bucket_list", {})
        return {
            "tools": len(tools.tools),
            "resources": len(resources.resources),
            "buckets": json.loads(good.content[0].text)["total"],
        }


async def with_fastmcp(url: str, token: str) -> dict:
    transport = StreamableHttpTransport(url, headers={"Authorization": f"Bearer {token}"})
    async with Client(transport) as client:
        tools = await client.list_tools()
        resources = await client.list_resources()
        good = await client.call_tool("bucket_list", {})
        return {
            "tools": len(tools),
            "resources": len(resources),
            "buckets": json.loads(good.content[0].text)["total"],
        }


async def main(url: str, token: str) -> None:
    print(json.dumps({"mcp": await with_mcp(url, token), "fastmcp": await with_fastmcp(url, token)}))


asyncio.run(main(*sys.argv[1:]))
