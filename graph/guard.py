"""No run starts while its trace would carry patients away, and no server logs what it streams."""

from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler

from tools.safety.logs import silence_server
from tools.safety.tracing import admit_tracing, prepare_tracing


class TracingGuard(BaseCallbackHandler):
    """Refuses any run, before a tracer sees its input, whose trace would hold more than structure."""

    raise_error = True
    run_inline = True

    def __init__(self) -> None:
        # A tracer takes the process's client before any guard is asked.
        prepare_tracing()
        silence_server()

    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: dict[str, Any],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Checks at the root of the run.

        Raises:
            InputError: tracing is on and not anonymized, or another client would send the trace.
        """
        if parent_run_id is None:
            admit_tracing()
