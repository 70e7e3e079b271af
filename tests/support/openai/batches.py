"""Files and batches of the loopback API: JSONL in, states that move on with each look, results and errors out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from tests.support.openai.completions import CREATED
from tests.support.openai.faults import Fault, error_body, error_status

Answer = Callable[[dict[str, Any], Fault | None], dict[str, Any]]


@dataclass(slots=True)
class BatchDesk:
    """Takes files and batches. Each look at a batch moves it one state on: validating, in_progress, its end.

    `line_faults` are faults of lines by custom_id; `ending` is how batches end, where lines without an answer expire
    (`expired_lines` of them); `answer` makes a completion; `spoil` changes the file of the results.
    """

    answer: Answer
    line_faults: dict[str, Fault] = field(default_factory=dict)
    ending: Literal["completed", "expired", "failed"] = "completed"
    expired_lines: set[str] = field(default_factory=set)
    spoil: Callable[[bytes], bytes] | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Register what the desk answers."""
        router.add_post("/v1/files", self.upload)
        router.add_get("/v1/files/{id}/content", self.content)
        router.add_delete("/v1/files/{id}", self.delete)
        router.add_post("/v1/batches", self.create)
        router.add_get("/v1/batches", self.listed)
        router.add_get("/v1/batches/{id}", self.look)
        router.add_post("/v1/batches/{id}/cancel", self.cancel)

    async def upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        sent = form["file"]
        assert isinstance(sent, web.FileField)
        return web.json_response(self._keep(sent.file.read(), str(form["purpose"]), sent.filename))

    async def content(self, request: web.Request) -> web.Response:
        kept = self.files.get(request.match_info["id"])
        if kept is None:
            return _not_found("No such file")
        return web.Response(body=kept, content_type="application/octet-stream")

    async def delete(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        gone = self.files.pop(name, None) is not None
        return web.json_response({"id": name, "object": "file", "deleted": gone})

    async def create(self, request: web.Request) -> web.Response:
        body = await request.json()
        name = f"batch_{len(self.batches) + 1}"
        self.batches[name] = {
            "id": name,
            "object": "batch",
            "endpoint": body["endpoint"],
            "completion_window": body["completion_window"],
            "input_file_id": body["input_file_id"],
            "metadata": body.get("metadata"),
            "status": "validating",
            "created_at": CREATED + len(self.batches),
            "output_file_id": None,
            "error_file_id": None,
            "errors": None,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
        }
        return web.json_response(self.batches[name])

    async def listed(self, request: web.Request) -> web.Response:
        newest_first = list(reversed(self.batches.values()))
        after, limit = request.query.get("after"), int(request.query.get("limit", "20"))
        start = next((place + 1 for place, each in enumerate(newest_first) if each["id"] == after), 0)
        page = newest_first[start : start + limit]
        return web.json_response(
            {
                "object": "list",
                "data": page,
                "first_id": page[0]["id"] if page else None,
                "last_id": page[-1]["id"] if page else None,
                "has_more": start + limit < len(newest_first),
            }
        )

    async def look(self, request: web.Request) -> web.Response:
        batch = self.batches.get(request.match_info["id"])
        if batch is None:
            return _not_found("No batch found")
        shown = dict(batch)
        self._move_on(batch)
        return web.json_response(shown)

    async def cancel(self, request: web.Request) -> web.Response:
        batch = self.batches.get(request.match_info["id"])
        if batch is None:
            return _not_found("No batch found")
        if batch["status"] in {"validating", "in_progress"}:
            batch["status"] = "cancelling"
        return web.json_response(batch)

    def _move_on(self, batch: dict[str, Any]) -> None:
        if batch["status"] == "cancelling":
            batch["status"] = "cancelled"
        elif batch["status"] == "validating":
            batch["status"] = "failed" if self.ending == "failed" else "in_progress"
            if batch["status"] == "failed":
                error = {"code": "invalid_json_line", "message": "bad line", "line": 1, "param": None}
                batch["errors"] = {"object": "list", "data": [error]}
        elif batch["status"] == "in_progress":
            self._end(batch)

    def _end(self, batch: dict[str, Any]) -> None:
        lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines() if line.strip()]
        answered = [self._result(number, line) for number, line in enumerate(lines)]
        good = [each for each in answered if each["error"] is None and each["response"]["status_code"] == 200]
        bad = [each for each in answered if each not in good]
        batch["status"] = self.ending
        batch["request_counts"] = {"total": len(lines), "completed": len(good), "failed": len(bad)}
        if good:
            results = self.spoil(_jsonl(good)) if self.spoil else _jsonl(good)
            batch["output_file_id"] = self._keep(results, "batch_output", "output.jsonl")["id"]
        if bad:
            batch["error_file_id"] = self._keep(_jsonl(bad), "batch_output", "errors.jsonl")["id"]

    def _result(self, number: int, line: dict[str, Any]) -> dict[str, Any]:
        fault = self.line_faults.get(line["custom_id"])
        result: dict[str, Any] = {"id": f"batch_req_{number}", "custom_id": line["custom_id"], "error": None}
        if self.ending == "expired" and line["custom_id"] in self.expired_lines:
            message = "This request could not be executed before the completion window expired."
            return {**result, "response": None, "error": {"code": "batch_expired", "message": message}}
        status = error_status(fault)
        body = self.answer(line["body"], fault) if fault is None or status is None else error_body(fault)
        return {**result, "response": {"status_code": status or 200, "request_id": f"req_{number}", "body": body}}

    def _keep(self, content: bytes, purpose: str, filename: str) -> dict[str, Any]:
        name = f"file-{len(self.files) + 1}"
        self.files[name] = content
        return {
            "id": name,
            "object": "file",
            "bytes": len(content),
            "created_at": CREATED,
            "filename": filename,
            "purpose": purpose,
            "status": "processed",
        }


def _jsonl(lines: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(each) + "\n" for each in reversed(lines)).encode()  # the API keeps no order


def _not_found(message: str) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "param": "id", "code": None}
    return web.json_response({"error": error}, status=404)
