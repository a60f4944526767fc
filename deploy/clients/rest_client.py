"""Asks a TensorFlow Serving over REST; needs Python alone.

    python deploy/clients/rest_client.py --server=http://localhost:8501 \
        "We must help the people of the percent."
"""

import argparse
import json
import sys
import urllib.error
import urllib.request


def predict(server: str, model: str, signature: str, inputs: dict) -> dict:
    """The signature's outputs, by name; each a list with an entry a text."""
    request = {"signature_name": signature, "inputs": inputs}
    url = f"{server}/v1/models/{model}:predict"
    body = json.dumps(request).encode()
    with urllib.request.urlopen(url, body, timeout=30) as answer:
        return json.load(answer)["outputs"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="http://localhost:8501")
    parser.add_argument("--model", default="electra")
    parser.add_argument("text", nargs="+")
    given = parser.parse_args()
    try:
        found = predict(
            given.server, given.model, "detect", {"text": given.text}
        )
    except urllib.error.HTTPError as error:
        print(f"{error}: {error.read().decode()}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{given.server} does not answer: {error}", file=sys.stderr)
        return 1
    for row, text in enumerate(given.text):
        print(text)
        for i in range(found["num_tokens"][row]):
            probability = found["probabilities"][row][i]
            print(f"{found['tokens'][row][i]:>16} {probability:.2f}")
        if found["truncated"][row]:
            print("(the text was cut)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
