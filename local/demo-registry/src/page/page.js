"use strict";
const by = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search).get("endpoint");
if (asked) by("endpoint").value = asked;
by("origin").textContent = location.origin;

/** Calls one method; returns what to say of the answer, and what it holds. */
async function call(endpoint, token, method) {
  const headers = { "Content-Type": "application/json", Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method });
  const answer = await fetch(endpoint, { method: "POST", headers, body });
  const text = await answer.text();
  const is_json = (answer.headers.get("Content-Type") ?? "").startsWith("application/json");
  const message = is_json ? JSON.parse(text) : null;
  const status = `HTTP ${answer.status}`;
  if (!answer.ok) return [`${status}: ${message?.error?.message ?? text}`, message ?? text];
  if (message?.error) return [`${status}, JSON-RPC error ${message.error.code}`, message];
  if (!message?.result) return [`${status}, but no JSON-RPC answer: is this the MCP endpoint?`, text];
  return [`${status}: ${message.result.tools.length} tools`, message.result];
}

async function run() {
  by("outcome").textContent = "Waiting\u2026";
  by("answer").textContent = "";
  try {
    const [outcome, content] = await call(by("endpoint").value, by("token").value.trim(), "tools/list");
    by("outcome").textContent = outcome;
    by("answer").textContent =
      typeof content === "string" ? content : JSON.stringify(content, null, 2);
  } catch (error) {
    by("outcome").textContent =
      `${error}: the browser shows the page no answer. Either nothing answers there, or the server ` +
      `does not allow ${location.origin} (MCP_ALLOWED_ORIGINS): the browser's console says which.`;
  }
}

by("call").addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});
if (location.hash === "#call") run();
