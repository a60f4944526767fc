"""The demonstration: a page, and the REST interface that it talks to."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any
from urllib.parse import urlsplit

import httpx
import jinja2
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from electra_tf.demo import LocalModel, RequestError

Handler = Callable[[Request], Awaitable[Response]]

OWN_HOSTS = ("localhost", "127.0.0.1", "::1")
MAX_BODY_BYTES = 1 << 20


def make_app(
    model_name: str,
    local: LocalModel | None = None,
    backend: str = "",
    hosts: Collection[str] = OWN_HOSTS,
) -> Starlette:
    """The page and /v1/models/<model_name>, to be served by any ASGI server.

    Args:
      model_name: what requests call the model.
      local: answers the requests; or None and
      backend: address of a TensorFlow Serving (http://host:8501), to which
        they are passed on as they are.
      hosts: what requests may call this server; no page of another origin is
        answered, so that no web site reaches it through a user's browser.
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
    names = {host.strip("[]").lower() for host in hosts}
    routes = [
        Route("/", _guarded(show, names)),
        Route(path, _guarded(status, names)),
        Route(f"{path}:predict", _guarded(predict, names), methods=["POST"]),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _told})


def _guarded(handler: Handler, names: Collection[str]) -> Handler:
    """Answers who calls this server by its name, from its own page or none."""

    async def answer(request: Request) -> Response:
        host = request.headers.get("host", "")
        if _name(host) not in names:
            known = ", ".join(sorted(names))
            raise HTTPException(
                400, f"Host must be one of {known} (--allowed_hosts adds more)"
            )
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            raise HTTPException(403, "pages of other origins are not answered")
        return await handler(request)

    return answer


def _name(host: str) -> str | None:
    """A host's name without its port: [::1]:8600 -> ::1."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


async def _told(request: Request, error: Any) -> Response:
    return JSONResponse(
        {"error": error.detail}, error.status_code, error.headers
    )


async def _body(request: Request) -> bytes:
    """The request's content; none that is too large is read to its end."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(
                413, f"a request must be at most {MAX_BODY_BYTES} bytes"
            )
    return bytes(body)


def _answered_by(model: LocalModel) -> tuple[Handler, Handler]:
    async def status(request: Request) -> Response:
        return JSONResponse(model.status())

    async def predict(request: Request) -> Response:
        body = await _body(request)
        try:
            answer = await run_in_threadpool(model.predict, body)
        except RequestError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return JSONResponse(answer)

    return status, predict


def _passed_on(backend: str) -> Handler:
    client = httpx.AsyncClient(base_url=backend, timeout=60.0)

    async def pass_on(request: Request) -> Response:
        body = await _body(request)
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
