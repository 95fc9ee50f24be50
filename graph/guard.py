"""No run starts while its trace would carry patients away."""

from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler

from tools.safety.tracing import refuse_open_tracing


class TracingGuard(BaseCallbackHandler):
    """Refuses the start of any run, before a tracer sees its input, while tracing is on and hides nothing."""

    raise_error = True
    run_inline = True

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
            InputError: tracing is on, and inputs or outputs are not hidden.
        """
        if parent_run_id is None:
            refuse_open_tracing()
