"""The server's application: a page, an HTTP API, and the description of the API."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException

import transpose
from transpose.data.image_bytes import ImageTooLargeError
from transpose.errors import InputError
from transpose.pose_model import PoseModel
from transpose.serving.answers import Explanation, Health, ModelCard, Prediction, Problem, model_card
from transpose.serving.limits import Limits
from transpose.serving.metrics import MeasuredApplication, RequestMetrics
from transpose.serving.pages import HEADERS, api_page, pose_page
from transpose.serving.request_handler import RequestHandler

_PATHS = frozenset({"/", "/predict", "/explain", "/model", "/health", "/metrics", "/docs", "/openapi.json"})
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    408: {"model": Problem, "description": "The image did not arrive in time."},
    413: {"model": Problem, "description": "The image has too many bytes or pixels, or there are too many boxes."},
    415: {"model": Problem, "description": "The content type is not that of an image."},
    422: {"model": Problem, "description": "The image cannot be decoded, or a parameter is wrong."},
    429: {"model": Problem, "description": "Too many requests are waiting; try again after Retry-After seconds."},
    503: {"model": Problem, "description": "The answer was not ready in time; try again after Retry-After seconds."},
}
_IMAGE = {
    "requestBody": {
        "required": True,
        "description": "The bytes of an image file, such as JPEG or PNG; EXIF orientation is applied.",
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}

Boxes = Annotated[
    list[str],
    Query(alias="box", description="Person box x,y,width,height in image pixels; repeatable. Default: whole image."),
]
Layer = Annotated[int, Query(description="Encoder layer; 0 is the first and -1 the last.")]


def create_app(model: PoseModel, limits: Limits, hosts: Sequence[str]) -> FastAPI:
    """Return the application that serves a model.

    Args:
        hosts: names that are accepted in the Host header, without port. Others are refused, so that no website reaches
            this server through a name of its own (DNS rebinding).

    Raises:
        InputError: the weights no longer exist.
    """
    handler, metrics, card = RequestHandler(model, limits), RequestMetrics(), model_card(model)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        handler.queue.close()

    # FastAPI's own documentation pages load scripts from another server.
    app = FastAPI(
        title="transpose",
        version=transpose.__version__,
        description=f"Poses of people by {card.title}.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    _add_model(app, handler, card)
    _add_state(app, handler, metrics)
    _add_pages(app, card, limits)
    _add_refusals(app)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    app.add_middleware(MeasuredApplication, metrics=metrics, paths=_PATHS)
    return app


def _add_model(app: FastAPI, handler: RequestHandler, card: ModelCard) -> None:
    @app.post("/predict", response_model=Prediction, responses=_PROBLEMS, openapi_extra=_IMAGE)
    async def predict(request: Request, boxes: Boxes = []) -> Response:  # noqa: B006 -- FastAPI copies defaults
        """Predict the keypoints of the persons in an image."""
        return await handler.predict(request, boxes)

    @app.post("/explain", response_model=Explanation, responses=_PROBLEMS, openapi_extra=_IMAGE)
    async def explain(request: Request, boxes: Boxes = [], layer: Layer = -1) -> Response:  # noqa: B006
        """Predict keypoints, and return the areas of the image that each depends on (fp32, unflipped pass)."""
        return await handler.explain(request, boxes, layer)

    @app.get("/model")
    async def describe() -> ModelCard:
        """Return the name, weights and keypoints of the model."""
        return card


def _add_state(app: FastAPI, handler: RequestHandler, metrics: RequestMetrics) -> None:
    @app.get("/health")
    async def health() -> Health:
        """Return the status ok: the model is loaded and the server answers."""
        return Health(status="ok")

    @app.get("/metrics", response_class=PlainTextResponse)
    async def measure() -> PlainTextResponse:
        """Return numbers of requests, latencies, the queue's length and memory in Prometheus' text format."""
        return PlainTextResponse(metrics.render(handler.queue.waiting), media_type="text/plain; version=0.0.4")


def _add_pages(app: FastAPI, card: ModelCard, limits: Limits) -> None:
    page = pose_page(card, limits)

    @app.get("/", include_in_schema=False)
    async def show() -> HTMLResponse:
        return HTMLResponse(page, headers=HEADERS)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(api_page(app.openapi()), headers=HEADERS)


def _add_refusals(app: FastAPI) -> None:
    """Answer refused requests with one line as JSON."""

    @app.exception_handler(StarletteHTTPException)
    async def refuse(_: Request, error: StarletteHTTPException) -> JSONResponse:
        return _problem(error.status_code, error.detail, error.headers)

    @app.exception_handler(InputError)
    async def refuse_input(_: Request, error: InputError) -> JSONResponse:
        return _problem(413 if isinstance(error, ImageTooLargeError) else 422, str(error))

    @app.exception_handler(RequestValidationError)
    async def refuse_parameter(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return _problem(422, f"{first['loc'][-1]}: {first['msg']}")


def _problem(status: int, line: str, headers: Any = None) -> JSONResponse:
    return JSONResponse(Problem(error=line).model_dump(), status, headers)
