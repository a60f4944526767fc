"""The demonstration: a page, and the REST interface that it talks to."""

from collections.abc import Awaitable, Callable

import httpx
import jinja2
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from electra_tf.demo import LocalModel, RequestError

Handler = Callable[[Request], Awaitable[Response]]


def make_app(
    model_name: str, local: LocalModel | None = None, backend: str = ""
) -> Starlette:
    """The page and /v1/models/<model_name>, to be served by any ASGI server.

    Args:
      model_name: what requests call the model.
      local: answers the requests; or None and
      backend: address of a TensorFlow Serving (http://host:8501), to which
        they are passed on as they are.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("electra_tf.demo"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.get_template("demo.html.jinja")
    html = page.render(model_name=model_name)

    async def show(request: Request) -> Response:
        return HTMLResponse(html)

    path = f"/v1/models/{model_name}"
    if local is None:
        status = predict = _passed_on(backend)
    else:
        status, predict = _answered_by(local)
    routes = [
        Route("/", show),
        Route(path, status),
        Route(f"{path}:predict", predict, methods=["POST"]),
    ]
    return Starlette(routes=routes)


def _answered_by(model: LocalModel) -> tuple[Handler, Handler]:
    async def status(request: Request) -> Response:
        return JSONResponse(model.status())

    async def predict(request: Request) -> Response:
        body = await request.body()
        try:
            answer = await run_in_threadpool(model.predict, body)
        except RequestError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return JSONResponse(answer)

    return status, predict


def _passed_on(backend: str) -> Handler:
    client = httpx.AsyncClient(base_url=backend, timeout=60.0)

    async def pass_on(request: Request) -> Response:
        body = await request.body()
        try:
            answer = await client.request(
                request.method, request.url.path, content=body
            )
        except httpx.HTTPError as error:
            message = f"{backend} does not answer: {error!r}"
            return JSONResponse({"error": message}, status_code=502)
        kind = answer.headers.get("content-type", "application/json")
        return Response(answer.content, answer.status_code, media_type=kind)

    return pass_on
