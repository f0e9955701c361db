"""The command that serves a model."""

import sys
from typing import Annotated

import typer

from transpose.cli.app import USE, app
from transpose.cli.options import Model


@app.command(rich_help_panel=USE, epilog="Example: transpose serve --model results/train/r_sine/seed0 --port 8000")
def serve(
    model: Model = None,
    host: Annotated[str, typer.Option(help="Address to listen on; only this machine reaches 127.0.0.1.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    max_megabytes: Annotated[float, typer.Option(min=0.001, help="Largest request, in MB.")] = 25.0,
    max_megapixels: Annotated[float, typer.Option(min=0.001, help="Largest image, in millions of pixels.")] = 50.0,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Longest time in seconds to receive an image, and then to answer.")
    ] = 30.0,
    queue: Annotated[int, typer.Option(min=0, help="Most requests that wait while another one runs.")] = 16,
) -> None:
    """Serve a model: a page in the browser and an HTTP API.

    The page shows the pose and dependency areas of an image that is dropped on it. /docs describes the API. There are
    no passwords and no encryption: keep to 127.0.0.1 unless everyone in the network may use the server.
    """
    from transpose.model_sources import load
    from transpose.serving.limits import Limits
    from transpose.serving.run import serve as run

    limits = Limits(bytes=round(max_megabytes * 1e6), pixels=round(max_megapixels * 1e6), seconds=timeout, queue=queue)
    run(load(model), host, port, limits, report=lambda line: print(line, file=sys.stderr, flush=True))
