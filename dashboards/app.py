"""The pages and the API behind them as one application. Nothing is loaded from anywhere else."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collector.api import create_api
from collector.service import Collector

PAGES = Path(__file__).parent / "pages"

CONTENT_POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def create_app(collector: Collector) -> FastAPI:
    """The pages at `/`, the API at `/api/v1`, its description at `/openapi.json`.

    The caller starts and closes the collector; closing it ends the streams that browsers hold open.
    """
    # FastAPI's own documentation pages come from a foreign server: they stay off.
    app = FastAPI(title="Foyer", description="Footfall of community hubs.", version="1", docs_url=None, redoc_url=None)
    app.include_router(create_api(collector))
    app.mount("/", StaticFiles(directory=PAGES, html=True), name="pages")
    app.add_middleware(SecurityHeaders)
    return app


class SecurityHeaders:
    """Puts `HEADERS` on every answer, and has browsers ask again where an answer does not say how long it keeps."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        await self._app(scope, receive, send_with_headers)
