"""The addresses, and what is answered there."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from typing import Any

import anyio.to_thread
from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from seqjax.errors import UserError
from seqjax.files import to_json
from seqjax.serve import answers, bodies, card, listening, page, words, writer
from seqjax.serve.batches import Batches
from seqjax.serve.guard import Guard
from seqjax.serve.kinds import EXPECTS
from seqjax.serve.limits import Limits, RefusedError
from seqjax.serve.model import Model

Answer = Callable[[Model, Mapping[str, Any]], Awaitable[Response]]
THREADS = 32
"""That read and print; the model has one of its own."""
TEXTS = 8
"""That are drawn at once."""


class Json(Response):
    """What is not finite is null, as JSON has it."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """See Starlette."""
        return to_json(content).encode()


class Service:
    """The runs, and what they have in common."""

    def __init__(self, models: Mapping[str, Model], limits: Limits):
        """Args: models: by name."""
        self.models, self.limits, self.drawing = models, limits, 0
        call = lambda key, rows: models[key[0]].answers(key[1:], rows)
        self.batches = Batches(call, limits.batch, limits.queue)

    def model(self, name: str) -> Model:
        """Raises RefusedError: there is none."""
        if name not in self.models:
            raise RefusedError(404, f"there is no run {name!r:.60}; choices: {', '.join(self.models)}")
        return self.models[name]

    async def predict(self, model: Model, body: Mapping[str, Any]) -> Response:
        """See `answers.predict`."""
        return Json(await answers.predict(model, self.batches, body, self.limits))

    async def explain(self, model: Model, body: Mapping[str, Any]) -> Response:
        """See `words.explain`."""
        return Json(await words.explain(model, self.batches, body, self.limits))

    async def stream(self, model: Model, body: Mapping[str, Any]) -> Response:
        """See `listening.stream`."""
        return Json(await run_in_threadpool(listening.stream, model, body, self.limits))

    async def generate(self, model: Model, body: Mapping[str, Any]) -> Response:
        """See `writer.written`: a line of JSON for each piece as it comes, at the end {"done": true}."""
        if self.drawing >= TEXTS:
            raise RefusedError(429, f"{self.drawing} texts are being drawn: ask again later", 1)
        prompt, pieces = await run_in_threadpool(writer.written, model, body, self.limits)

        async def lines() -> AsyncIterator[bytes]:
            self.drawing += 1
            count = 0
            try:
                yield to_json({"prompt": prompt}).encode() + b"\n"
                async for piece in iterate_in_threadpool(pieces):
                    count += len(piece)
                    yield to_json({"text": piece}).encode() + b"\n"
                yield to_json({"done": True, "characters": count}).encode() + b"\n"
            finally:
                self.drawing -= 1

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    async def warm(self) -> None:
        """Compile what the first to ask would wait for."""
        for model in self.models.values():
            with contextlib.suppress(Exception):  # a run that does not take so little
                if model.kind == "hotword":
                    await run_in_threadpool(listening.ready, model)
                elif EXPECTS[model.kind][0] == "texts":
                    requests = await run_in_threadpool(model.requests, b"e\n")
                    await answers.outputs(model, self.batches, requests, model.options({}))
                if model.kind == "language":
                    await run_in_threadpool(lambda own=model: list(writer.written(own, {"length": 1}, self.limits)[1]))

    def health(self) -> dict[str, Any]:
        """Counts since the start."""
        shapes = {name: len(model.shapes) for name, model in self.models.items()}
        counts = {"waiting": self.batches.waiting, "calls": self.batches.calls, "examples": self.batches.rows}
        return {"status": "ok", **counts, "shapes": shapes}


def about(service: Service) -> dict[str, Any]:
    """What can be asked, with an example of each."""
    one = next(iter(service.models))
    at = lambda what: f"/api/runs/{one}/{what}"
    return {
        "GET /healthz": "how many examples were answered, in how many calls",
        "GET /api/runs": "the runs",
        "GET /api/runs/NAME": "what it expects, its scores",
        "POST /api/runs/NAME/predict": {
            "texts": "a list of strings; or text: one; or file: the content of one; or audio: a WAV file as base64",
            "outputs": "true: the model's numbers, too",
            "hold_out": "forecasts: true: of the last horizon, which is kept from the model",
            "beam, n_best": "translations",
            "example": {"address": at("predict"), "body": card.EXAMPLES[service.models[one].kind]},
        },
        "POST /api/runs/NAME/explain": {"text": "which words move the answer", "class": "of which class"},
        "POST /api/runs/NAME/generate": "prompt, length, temperature, top_k, top_p, min_p, seed -> lines of JSON",
        "POST /api/runs/NAME/stream": "piece (text) or bytes (base64), state of the answer before, end -> lines, state",
        "limits": vars(service.limits),
    }


def application(models: Mapping[str, Model], limits: Limits, hosts: Collection[str] = ()) -> Guard:
    """The ASGI application. Args: models: by name, one at least. hosts: names by which the server may be called."""
    service = Service(models, limits)
    text, policy = page.page()

    def get(content: Callable[[Request], Any]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            return await _netted(lambda: run_in_threadpool(lambda: Json(content(request))))

        return answer

    def post(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def answered(request: Request) -> Response:
            async def answering() -> Response:
                model = service.model(request.path_params["name"])
                try:
                    return await answer(model, bodies.read(await request.body()))
                except UserError as error:  # where the run lies is nobody's business
                    raise UserError(str(error).replace(str(model.path), model.name)) from error

            return await _netted(answering)

        return answered

    async def shown(request: Request) -> Response:
        return HTMLResponse(text)

    of = lambda request: service.model(request.path_params["name"])
    routes = [
        Route("/", shown),
        Route("/healthz", get(lambda request: service.health())),
        Route("/api", get(lambda request: about(service))),
        Route("/api/runs", get(lambda request: {"runs": [card.card(model) for model in models.values()]})),
        Route("/api/runs/{name}", get(lambda request: card.card(of(request)))),
        *(
            Route(f"/api/runs/{{name}}/{answer.__name__}", post(answer), methods=["POST"])
            for answer in (service.predict, service.explain, service.generate, service.stream)
        ),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        warm = asyncio.create_task(service.warm())
        yield
        warm.cancel()
        service.batches.close()

    async def unknown(request: Request, error: Exception) -> Response:
        status = getattr(error, "status_code", 404)
        said = {404: "there is nothing here; see /api", 405: "this address is asked in another way; see /api"}
        return Json({"error": said.get(status, "not answered")}, status, getattr(error, "headers", None))

    return Guard(
        Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: unknown}), limits, hosts, policy
    )


async def _netted(answering: Callable[[], Awaitable[Response]]) -> Response:
    """The answer; what the client can mend is 4xx and one line; of anything else the log has one."""
    try:
        return await answering()
    except RefusedError as error:
        headers = {} if error.retry is None else {"retry-after": str(error.retry)}
        return Json({"error": error.message}, error.status, headers)
    except UserError as error:
        return Json({"error": " ".join(str(error).split())[:1_000]}, 400)
    except Exception as error:  # a fault of ours: said once, without the server's insides
        logging.getLogger("seqjax.serve").error("%s: %s", type(error).__name__, " ".join(str(error).split())[:300])
        return Json({"error": "the server could not answer"}, 500)
