"""A page in a real browser, without a window: Debian's chromium by its chromedriver."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CONTRAST = """
const channel = v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const colour = text => (text.match(/[\\d.]+/g) || []).map(Number);
function background(element) {
  for (let at = element; at; at = at.parentElement) {
    const found = colour(getComputedStyle(at).backgroundColor);
    if (found.length === 3 || found[3] > 0) return found;
  }
  return [255, 255, 255];
}
const found = [];
for (const element of document.querySelectorAll("body *")) {
  const text = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  const box = element.getBoundingClientRect();
  if (!text || !box.width || !box.height || element.closest("script, style, noscript")) continue;
  const [a, b] = [luminance(colour(getComputedStyle(element).color)), luminance(background(element))];
  found.push([element.tagName + ": " + element.textContent.trim().slice(0, 40),
    (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]);
}
return found;
"""


class Browser:
    """The browser with one page."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def open(self, page: Path | str) -> None:
        """Load a page of a file, or of an address."""
        self._driver.get(page if isinstance(page, str) else page.as_uri())

    def show(self, width: int, theme: str) -> None:
        """The window's width in pixels, and the system's theme, `light` or `dark`."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": theme}]
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self._driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")

    def run(self, script: str) -> Any:
        """What a script returns."""
        return self._driver.execute_script(script)

    def run_later(self, script: str) -> Any:
        """What a script gives to the function that is its only argument, within 30 s."""
        self._driver.set_script_timeout(30)
        return self._driver.execute_async_script(script)

    def contrasts(self) -> dict[str, float]:
        """The contrast of each element with text to its background, from 1 to 21 (WCAG 2)."""
        return dict(self.run(CONTRAST))

    def complaints(self) -> list[str]:
        """What the browser's console has."""
        return [str(entry["message"]) for entry in self._driver.get_log("browser")]

    def picture(self, path: Path) -> None:
        """Keep what is seen."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._driver.save_screenshot(str(path))


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser, for as long as this lasts. The test is skipped where there is none."""
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        pytest.skip("chromium or chromedriver is not installed")
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=ChromeService(executable_path=chromedriver))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
