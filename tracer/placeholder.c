typedef int fpx_tracer_placeholder;
