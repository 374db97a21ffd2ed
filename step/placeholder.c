typedef int fpx_step_placeholder;
