typedef int fpx_io_placeholder;
