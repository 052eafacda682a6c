"""Debian's Chromium, headless, in a folder of its own, talking to nobody but the page under test."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Literal, Self

from selenium import webdriver
from servers import program

if TYPE_CHECKING:
    from pathlib import Path

DESKTOP = (1440, 900)
PHONE = (375, 812)

_QUIET = (
    "--headless=new",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-features=MediaRouter,DialMediaRouteProvider,OptimizationHints,Translate",
    "--disable-gpu",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    "--password-store=basic",
    "--use-mock-keychain",
)


class Chromium:
    """A browser; `driver` is its selenium driver. Start and end it by `with`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._chromium = program("chromium")
        self._chromedriver = program("chromedriver")
        self.driver: webdriver.Chrome

    def __enter__(self) -> Self:
        options = webdriver.ChromeOptions()
        options.binary_location = self._chromium
        for argument in _QUIET:
            options.add_argument(argument)
        options.add_argument(f"--user-data-dir={self.folder / 'profile'}")
        options.add_argument(f"--window-size={DESKTOP[0]},{DESKTOP[1]}")
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")  # Chromium refuses root otherwise
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = webdriver.ChromeService(
            executable_path=self._chromedriver,
            log_output=str(self.folder / "chromedriver.txt"),
            env={**os.environ, "HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)},
        )
        self.driver = webdriver.Chrome(options=options, service=service)
        self.driver.set_page_load_timeout(20)
        self.driver.set_script_timeout(20)
        return self

    def __exit__(self, *_: object) -> None:
        self.driver.quit()

    def cdp(self, command: str, **parameters: Any) -> Any:
        """One command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(command, parameters)

    def reset(self) -> None:
        """An empty page, desktop size, light, no storage, and logs read to their end."""
        self.driver.get("about:blank")
        self.size(*DESKTOP)
        self.media()
        self.cdp("Network.clearBrowserCookies")
        self.cdp("Network.clearBrowserCache")
        self.console()
        self.requests()

    def size(self, width: int, height: int, *, scale: float = 1) -> None:
        """The viewport in CSS pixels, and device pixels to one of them."""
        self.cdp(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )

    def media(self, *, scheme: Literal["light", "dark"] = "light", reduced_motion: bool = False) -> None:
        """What the page's media queries see."""
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce" if reduced_motion else "no-preference"},
        ]
        self.cdp("Emulation.setEmulatedMedia", features=features)

    def console(self) -> list[str]:
        """What the console said since last asked: errors, warnings, violations."""
        return [f"{entry['level']}: {entry['message']}" for entry in self._log("browser")]

    def requests(self) -> list[str]:
        """URLs the page asked for since last asked."""
        messages = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        return list(self.driver.get_log(kind))  # type: ignore[no-untyped-call]  # selenium leaves it untyped

    def wait_for(self, condition: str, *, seconds: float = 10) -> float:
        """Wait in the page until the JavaScript expression is true; how long that took, in seconds.

        Fails where it is not within that time. The page's own clock measures it, without the way to the browser.
        """
        took = self.driver.execute_async_script(
            f"""const done = arguments[0], begun = performance.now();
            function look() {{
              const took = performance.now() - begun;
              if ({condition}) done(took); else if (took > {seconds * 1000}) done(null); else setTimeout(look, 10);
            }}
            look();"""
        )
        if took is None:
            shown = self.driver.find_element("tag name", "body").text
            raise AssertionError(f"not within {seconds} s: {condition}\n{shown}")
        return float(took) / 1000

    def screenshot(self, file: Path) -> Path:
        """A PNG of the viewport."""
        if not self.driver.save_screenshot(str(file)):
            raise OSError(f"{file}: could not be written")
        return file
