typedef int fpx_libfpx_placeholder;
