"""FastAPI and ONNX Runtime by hand: the body is the photo, work in the thread pool."""

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool

from benchmarks.serving.peers.answering import Models

app = FastAPI()
models = Models()


@app.post("/infer")
async def infer(request: Request, brains: str = "") -> dict[str, dict[str, object]]:
    return await run_in_threadpool(models.ask, await request.body(), brains)


@app.get("/ready")
async def ready() -> bool:
    return True
