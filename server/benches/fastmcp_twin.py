"""The benchmark's other side: bucket_list as a FastMCP tool over the same registry.

    python fastmcp_twin.py PORT REGISTRY_URL

It validates the caller's token once and keeps the verdict, asks the registry for every call, and
answers with what Quilt's server answers: no more work, and no less.
"""

import sys

import httpx2
from fastmcp import FastMCP
from fastmcp.server.dependencies import get_http_headers

PORT, REGISTRY = int(sys.argv[1]), sys.argv[2]
ME = "query Me { me { name } }"
BUCKETS = (
    "query Buckets { buckets { name title description tags relevanceScore } }"
)

server = FastMCP("twin")
registry = httpx2.AsyncClient(base_url=REGISTRY, limits=httpx2.Limits(max_connections=512))
accepted: set[str] = set()


async def ask(name: str, query: str, token: str) -> dict:
    body = {"operationName": name, "query": query, "variables": {}}
    answer = await registry.post("/graphql", json=body, headers={"authorization": token})
    answer.raise_for_status()
    return answer.json()["data"]


@server.tool
async def bucket_list(contains: str = "") -> dict:
    """Lists the buckets that you may see."""
    token = get_http_headers(include_all=True).get("authorization", "")
    if token not in accepted:
        if (await ask("Me", ME, token))["me"] is None:
            raise PermissionError("not signed in")
        accepted.add(token)
    found = (await ask("Buckets", BUCKETS, token))["buckets"]
    found.sort(key=lambda bucket: -bucket["relevanceScore"])
    wanted = contains.lower()
    buckets = [
        bucket
        for bucket in found
        if wanted in " ".join([bucket["name"], bucket["title"], *bucket["tags"]]).lower()
    ]
    return {"total": len(buckets), "buckets": buckets}


server.run(
    transport="http",
    host="127.0.0.1",
    port=PORT,
    path="/mcp",
    stateless_http=True,
    show_banner=False,
    log_level="ERROR",
)
