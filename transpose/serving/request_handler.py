"""From the bytes of a request to the model's answer, within limits."""

from collections.abc import Callable, Sequence

import numpy as np
from fastapi import HTTPException, Request
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from transpose.data.image_boxes import boxes_in_image, parse_boxes
from transpose.data.image_bytes import decode_limited
from transpose.pose_model import PoseModel
from transpose.serving.answers import Explanation, Prediction, explain_person, prediction
from transpose.serving.job_queue import JobQueue, QueueFullError, SlowAnswerError, SlowRequestError
from transpose.serving.limits import Limits

_RETRY = {"Retry-After": "1"}
"""Seconds after which a client may try again."""

Job = Callable[[np.ndarray, np.ndarray], BaseModel]


class RequestHandler:
    """Receives images and has the model answer them, one request at a time."""

    def __init__(self, model: PoseModel, limits: Limits) -> None:
        """Load what explanations need.

        Raises:
            InputError: the weights no longer exist.
        """
        self._model, self._limits = model, limits
        self._in_fp32 = model if model.variant.encoder is None else model.in_fp32()
        self.queue = JobQueue(limits.queue, limits.seconds)

    async def predict(self, request: Request, boxes: Sequence[str]) -> Response:
        """Answer with a `Prediction`; see `_answer`."""
        return await self._answer(request, boxes, self._predict)

    async def explain(self, request: Request, boxes: Sequence[str], layer: int) -> Response:
        """Answer with an `Explanation`; see `_answer`."""
        return await self._answer(request, boxes, lambda pixels, given: self._explain(pixels, given, layer))

    def _predict(self, pixels: np.ndarray, boxes: np.ndarray) -> Prediction:
        return prediction(self._model.predict(pixels, boxes))

    def _explain(self, pixels: np.ndarray, boxes: np.ndarray, layer: int) -> Explanation:
        # One at a time: the attention between all cells takes much memory.
        return Explanation(persons=[explain_person(self._in_fp32, pixels, box, layer) for box in boxes])

    async def _answer(self, request: Request, boxes: Sequence[str], job: Job) -> Response:
        """Receive an image, and run a job on its pixels [H, W, 3] and boxes [N, 4] in the model's thread.

        Args:
            boxes: x,y,width,height in image pixels; none uses the whole image as one box.

        Raises:
            HTTPException: the request exceeds a limit or is not of an image.
            InputError: the image or a box is wrong.
        """
        if not request.headers.get("content-type", "").startswith("image/"):
            raise HTTPException(415, "the content type must be that of an image, such as image/jpeg")
        if len(boxes) > self._limits.boxes:
            raise HTTPException(413, f"{len(boxes)} boxes; at most {self._limits.boxes} are accepted")
        given = parse_boxes(boxes) if boxes else None

        def run(data: bytes) -> bytes:
            pixels = decode_limited(data, self._limits.pixels)
            # Encoded in this thread too, since an explanation has many numbers.
            return job(pixels, boxes_in_image(given, pixels, "image")).model_dump_json().encode()

        return Response(await self._run(request, run), media_type="application/json")

    async def _run(self, request: Request, job: Callable[[bytes], bytes]) -> bytes:
        seconds = self._limits.seconds
        try:
            return await self.queue.answer(lambda: self._receive(request), job)
        except QueueFullError:
            full = f"busy: {self._limits.queue} requests are waiting; try again"
            raise HTTPException(429, full, _RETRY) from None
        except SlowRequestError:
            raise HTTPException(408, f"the image did not arrive within {seconds:g} s") from None
        except SlowAnswerError:
            late = f"no answer within {seconds:g} s; try again, or with fewer boxes"
            raise HTTPException(503, late, _RETRY) from None
        except ClientDisconnect:
            raise HTTPException(400, "the image is incomplete") from None

    async def _receive(self, request: Request) -> bytes:
        """Return the body of a request; no more than the limit is kept in memory."""
        most = self._limits.bytes
        refusal = HTTPException(413, f"the image has more than the {most} bytes that are accepted")
        if int(request.headers.get("content-length", "0")) > most:
            raise refusal
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > most:
                raise refusal
        return bytes(body)
