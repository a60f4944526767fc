"""The page in a headless browser, against a real server process."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SENTENCE = "We must help the people of the percent."

for name in ("selenium", "starlette", "uvicorn", "httpx", "jinja2"):
    pytest.importorskip(name)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(
        not (shutil.which("chromium") and shutil.which("chromedriver")),
        reason="chromium and chromium-driver are not installed",
    ),
]


def start(*arguments):
    """A demo server of its own process: (process, address)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "scripts/demo.py", f"--port={port}", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    address = f"http://127.0.0.1:{port}"
    for _ in range(240):
        assert process.poll() is None
        try:
            urllib.request.urlopen(address, timeout=1).close()
            return process, address
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"{address} did not answer")


@pytest.fixture(scope="module")
def tiny_served(tmp_path_factory):
    """The shipped model, exported."""
    from electra_tf.pretrained import from_pretrained
    from electra_tf.serving.export import export_saved_model

    path = tmp_path_factory.mktemp("served") / "electra"
    export_saved_model(from_pretrained("tiny"), f"{path}/1", warmup=False)
    return str(path)


@pytest.fixture(scope="module")
def addresses(tiny_served):
    """The server, and another that has the first for its backend."""
    first, address = start(f"--saved_model={tiny_served}")
    second, behind = start(f"--backend={address}")
    yield {"itself": address, "backend": behind}
    for process in (second, first):
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def browser():
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.add_argument("--window-size=900,760")
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options, service)
    yield driver
    driver.quit()


@pytest.fixture(params=["itself", "backend"])
def page(request, addresses, browser):
    browser.get(addresses[request.param])
    return browser


def wait_for(condition):
    for _ in range(200):
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError("waited 20 s")


def find(page, selector):
    return page.find_elements("css selector", selector)


def write(page, text):
    page.execute_script(
        "const t = document.getElementById('text'); t.value = arguments[0];"
        "t.dispatchEvent(new Event('input'));",
        text,
    )


def shown(page):
    """The tokens on the page with their probabilities."""
    return page.execute_script(
        "return [...document.querySelectorAll('#tokens button')].map("
        "b => [b.textContent, Number(b.dataset.probability)])"
    )


def test_tokens_are_coloured_by_the_models_probabilities(page):
    from electra_tf.pretrained import from_pretrained

    model = from_pretrained("tiny")
    for text in (SENTENCE, "\U0001f600 Émile  thinks, naïvely;\nüber-tax"):
        write(page, text)
        expected = model.detect([text])[0]
        content = text.encode()
        words = [content[t.start : t.end].decode() for t in expected]
        found = wait_for(
            lambda words=words: (
                [w for w, _ in shown(page)] == words and shown(page)
            )
        )
        for (_, probability), token in zip(found, expected, strict=True):
            assert probability == pytest.approx(token.probability, abs=1e-5)
        assert find(page, "#tokens")[0].get_attribute("textContent") == text
        opacities = page.execute_script(
            "return [...document.querySelectorAll('#tokens button')].map("
            "b => getComputedStyle(b).backgroundColor)"
        )
        for colour, token in zip(opacities, expected, strict=True):
            alpha = float(re.findall(r"[\d.]+", colour)[-1])
            assert alpha == pytest.approx(0.85 * token.probability, abs=0.01)


def test_a_chosen_word_gets_the_generators_proposals(page):
    from electra_tf.pretrained import from_pretrained

    wait_for(lambda: len(shown(page)) == 9)  # it begins with SENTENCE
    find(page, "#tokens button")[7].click()  # percent
    rows = wait_for(lambda: find(page, "#suggestions td button"))
    proposals = [row.text for row in rows]
    expected = from_pretrained("tiny").fill_mask(
        SENTENCE.replace("percent", "[MASK]"), top_k=10
    )
    assert proposals == [token for token, _ in expected]
    rows[0].click()
    filled = SENTENCE.replace("percent", proposals[0])
    wait_for(
        lambda: "".join(w for w, _ in shown(page)) == filled.replace(" ", "")
    )


def test_a_mask_that_is_typed_is_filled(page):
    write(page, "the people of the [MASK] states")
    rows = wait_for(lambda: find(page, "#suggestions td button"))
    assert rows[0].text == "united"
    write(page, "[MASK] and [MASK]")
    wait_for(lambda: "once" in find(page, "#suggestions")[0].text)


def test_nothing_typed_shows_nothing(page):
    write(page, "")
    wait_for(lambda: not shown(page))
    assert not find(page, "#problem")[0].text


def test_markup_in_the_text_is_text(page):
    text = "<b onclick=alert(1)>bold</b>"
    write(page, text)
    wait_for(
        lambda: find(page, "#tokens")[0].get_attribute("textContent") == text
    )
    assert not find(page, "#tokens b")


def test_the_status_is_serving_s(addresses):
    for address in addresses.values():
        with urllib.request.urlopen(f"{address}/v1/models/electra") as answer:
            [status] = json.load(answer)["model_version_status"]
        assert (status["version"], status["state"]) == ("1", "AVAILABLE")
