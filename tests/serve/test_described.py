"""No request that is made of the service's own OpenAPI document is an error of the server's."""

import json
from collections.abc import Callable
from contextlib import suppress

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from listening import listening
from schemathesis.generation import GenerationMode

from served import Served

EXAMPLES = 15  # requests of each kind for each operation


@pytest.mark.slow
def test_nothing_that_is_described_is_a_server_error(serving: Callable[..., Served]) -> None:
    """By hand: schemathesis 4.32's own pytest plug-in does not know pytest 9.2."""
    seen: dict[str, set[int]] = {}
    with listening(serving()) as port:
        document = schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json")
        for found in document.get_all_operations():
            operation = found.ok()
            for mode in GenerationMode:

                @given(case=operation.as_strategy(generation_mode=mode))
                @settings(
                    max_examples=EXAMPLES,
                    derandomize=True,
                    database=None,
                    phases=[Phase.explicit, Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )
                def asked(case: schemathesis.Case) -> None:
                    response = case.call(timeout=30)
                    seen.setdefault(case.operation.label, set()).add(response.status_code)
                    assert response.status_code < 500, (case.as_curl_command(), response.text)
                    if response.status_code >= 400:
                        assert json.loads(response.text)["error"]["message"]

                with suppress(Unsatisfiable):  # what takes nothing cannot be given anything wrong
                    asked()
    assert len(seen) == 10
    assert 200 in seen["POST /v1/search"]
    assert 201 in seen["POST /v1/events"]
