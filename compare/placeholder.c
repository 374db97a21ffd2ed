typedef int fpx_compare_placeholder;
